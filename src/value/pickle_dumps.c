/* Writing pickles: the whole. */
#include <stdlib.h>

#include "value/pickle.h"
#include "value/pickle_write.h"

/* PROTO and its number; FRAME and the size of all that follows. */
enum { PROTO = 2, FRAME = 9, SMALLEST_FRAME = 4 };

int plait__pickle_check_protocol(int protocol)
{
    if (protocol == 0 || (protocol >= 2 && protocol <= PICKLE_HIGHEST)) return 0;
    return plait__fail(-EINVAL, "there is no pickle protocol %d to write: 2 to %d", protocol, PICKLE_HIGHEST);
}

static int begin(struct plait__writer *writer)
{
    static const unsigned char frame[FRAME] = { PICKLE_FRAME };
    const unsigned char proto[PROTO] = { PICKLE_PROTO, (unsigned char)writer->protocol };
    int error = plait__pickle_put(writer, proto, sizeof proto);
    return error || writer->protocol < 4 ? error : plait__pickle_put(writer, frame, sizeof frame);
}

/* The size of the frame is known now.  Python has none around less than 4 bytes. */
static void close_frame(struct plait__buffer *buffer, size_t from)
{
    unsigned char *frame = buffer->at + from + PROTO;
    const size_t size = buffer->size - from - PROTO - FRAME;
    if (size < SMALLEST_FRAME) {
        memmove(frame, frame + FRAME, size);
        buffer->size -= FRAME;
        return;
    }
    for (unsigned i = 0; i < 8; i++) frame[1 + i] = (unsigned char)((uint64_t)size >> (8 * i));
}

static void free_writer(struct plait__writer *writer)
{
    if (writer->nests != writer->some_nests) free(writer->nests);
    free(writer->known);
    plait_value_free(writer->made);
}

int plait__pickle_into(struct plait__buffer *buffer, const plait_value *value, int protocol)
{
    const size_t from = buffer->size;
    struct plait__writer writer;
    if (!value) return -plait__null_given();
    writer.buffer = buffer;
    writer.protocol = protocol ? protocol : PICKLE_DEFAULT;
    writer.nests = writer.some_nests;
    writer.room = PICKLE_NESTS;
    writer.known = NULL;
    writer.made = NULL;
    writer.count = writer.memo_count = writer.known_used = writer.known_room = writer.global_count = 0;
    int error = begin(&writer);
    if (!error) error = plait__pickle_write_all(&writer, value);
    if (!error) error = plait__pickle_code(&writer, PICKLE_STOP);
    if (!error && writer.protocol >= 4) close_frame(buffer, from);
    if (error) buffer->size = from;
    free_writer(&writer);
    return error;
}

void *plait_pickle_dumps(const plait_value *value, const plait_pickle_options *options, size_t *size)
{
    static const plait_pickle_options defaults;
    struct plait__buffer buffer = { .at = NULL };
    if (!options) options = &defaults;
    int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    if (!error) error = plait__pickle_check_protocol(options->protocol);
    if (!error && !size) error = plait__fail(-EINVAL, "there is nowhere to put the size");
    if (!error) error = plait__pickle_into(&buffer, value, options->protocol);
    if (!error) {
        *size = buffer.size;
        return buffer.at;
    }
    plait__buffer_free(&buffer);
    return plait__null(error);
}
