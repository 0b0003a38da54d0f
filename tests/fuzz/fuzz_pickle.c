/* Any bytes as a pickle: a clear error, or a value that is the same after it was written and read.  `make fuzz` runs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <plait/error.h>
#include <plait/pickle.h>

#include "value/value.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So that the sanitizer sees what is used after it was freed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    plait__cells_keep(0);
    return 0;
}

static void need(int truth)
{
    if (!truth) abort();
}

static void *dumps(const plait_value *value, int protocol, size_t *size)
{
    return plait_pickle_dumps(value, &(plait_pickle_options){ .protocol = protocol }, size);
}

/* Written, read and written again: the same bytes. */
static void check_round_trip(const plait_value *value, int protocol)
{
    size_t size, again_size;
    void *bytes = dumps(value, protocol, &size);
    need(bytes != NULL);
    /* In older protocols sets and bytes are calls, which have a tuple around them: deeper ones than the limit may come of it. */
    plait_value *back = plait_pickle_loads(bytes, size, &(plait_pickle_options){ .max_depth = 4000, .max_memory = SIZE_MAX });
    need(back != NULL);
    void *again = dumps(back, protocol, &again_size);
    need(again && size == again_size && memcmp(bytes, again, size) == 0);
    free(again);
    free(bytes);
    plait_value_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    plait_value *value = plait_pickle_loads(data, size, &(plait_pickle_options){ .max_memory = 64 << 20 });
    if (!value) {
        need(errno == EBADMSG || errno == ENOTSUP || errno == EOVERFLOW || errno == ENOMEM);
        need(*plait_error_detail());
        return 0;
    }
    check_round_trip(value, 2 + (int)(size % 4));
    uint64_t hash;
    (void)plait_value_hash(value, &hash);
    plait_value_free(value);
    return 0;
}
