/* Reading pickles: lists, tuples, dicts and sets. */
#include "value/pickle_read.h"
#include "value/walk.h"

enum { BATCH = 1000 };                                     /* how many Python writes behind one mark */

/* What an item takes of a list, and of a dict or a set. */
enum { ITEM = sizeof(plait_value *), ENTRY = sizeof(struct plait__entry) + 2 * sizeof(uint32_t) };

int plait__pickle_tuple(struct plait__reader *reader, size_t from)
{
    const size_t count = reader->count - from;
    uint32_t depth = 1;
    int error = plait__pickle_spend(reader, PLAIT__CELL + count * ITEM);
    if (!error) error = plait__pickle_depth_of(reader, from, &depth);
    if (error) return error;
    plait_value *tuple = plait__tuple_room(count);
    if (!tuple) return plait__pickle_failed(reader);
    if (count) memcpy(tuple->as.list.items, &reader->slots[from], count * ITEM);
    reader->count = from;
    return plait__pickle_push_deep(reader, tuple, depth);
}

/* ---- lists ---- */

/* Larger by halves, as pickles come in batches of 1,000. */
static int reserve(struct plait__reader *reader, plait_value *list, size_t count)
{
    const size_t wanted = list->as.list.size + count, room = list->as.list.room;
    if (wanted <= room) return 0;
    const size_t most = room && room + room / 2 > wanted ? room + room / 2 : wanted;
    int error = plait__pickle_spend(reader, (most - room) * ITEM);
    return error ? error : plait__list_reserve(list, most);
}

/* Those from `from` on go into the list, which has room for them. */
static void move_into(struct plait__reader *reader, plait_value *list, size_t from)
{
    const size_t count = reader->count - from;
    if (count) memcpy(list->as.list.items + list->as.list.size, &reader->slots[from], count * ITEM);
    list->as.list.size += (uint32_t)count;
    reader->count = from;
}

int plait__pickle_list(struct plait__reader *reader, size_t from)
{
    uint32_t depth = 1;
    int error = plait__pickle_spend(reader, PLAIT__CELL);
    if (!error) error = plait__pickle_depth_of(reader, from, &depth);
    plait_value *list = error ? NULL : plait__value_new(PLAIT_LIST);
    if (!list) return error ? error : plait__pickle_failed(reader);
    error = reserve(reader, list, reader->count - from);
    if (error) {
        plait_value_free(list);
        return error;
    }
    move_into(reader, list, from);
    return plait__pickle_push_deep(reader, list, depth);
}

/* Each becomes the object's in turn; those that are left stay on the stack. */
static int append_to_object(struct plait__reader *reader, plait_value *object, size_t from)
{
    int error = plait__pickle_spend(reader, (reader->count - from) * ITEM);
    for (size_t i = from; i < reader->count && !error; i++) {
        plait_value *item = reader->slots[i];
        reader->slots[i] = NULL;
        error = plait__object_push(object, item);
    }
    plait__pickle_cut(reader, from);
    return error;
}

/* What is below `from`, which takes in what is above; NULL: an error. */
static plait_value *target_below(struct plait__reader *reader, size_t from, int *error)
{
    *error = from > reader->fence ? plait__pickle_takes(reader, from - 1) : plait__pickle_underflow(reader);
    return *error ? NULL : reader->slots[from - 1];
}

int plait__pickle_appends(struct plait__reader *reader, size_t from)
{
    int error;
    plait_value *list = target_below(reader, from, &error);
    if (error) return error;
    if (list->type == PLAIT_OBJECT) return append_to_object(reader, list, from);
    if (list->type != PLAIT_LIST)
        return plait__pickle_bad(reader, -EBADMSG, "a %s has nothing appended", plait_value_type_name(list));
    error = reserve(reader, list, reader->count - from);
    if (!error) move_into(reader, list, from);
    return error;
}

/* ---- dicts and sets ---- */

/* What a key takes to be hashed: a container as much as so many items, and that many bytes as much as one. */
enum { WEIGHT_OF_CONTAINER = 4, BYTES_OF_WEIGHT = 16 };

/* How many bytes of a value that is no container lie outside of its cell. */
static inline size_t bytes_outside(const plait_value *value)
{
    if (value->type == PLAIT_GLOBAL) return value->as.global.size;
    const bool has_bytes = (value->type >= PLAIT_STRING && value->type <= PLAIT_BYTEARRAY) || plait__is_big(value);
    return has_bytes && !(value->flags & PLAIT__SHORT) ? value->as.bytes.size : 0;
}

static int add_weight(struct plait__reader *reader, size_t weight)
{
    if (weight > reader->weight) return plait__pickle_bad(reader, -ENOTSUP, "keys that hold too much");
    reader->weight -= weight;
    return 0;
}

/* Keys come from the memo again and again, and those that share what they hold could have more paths than there is time: all that
 * is hashed and compared is counted. */
static int weigh(struct plait__reader *reader, const plait_value *key)
{
    size_t position = 0;
    int error = add_weight(reader, WEIGHT_OF_CONTAINER);
    for (plait_value *item; !error && (item = plait__next_inside(key, &position));)
        error = plait__is_container(item) ? weigh(reader, item) : add_weight(reader, 1 + bytes_outside(item) / BYTES_OF_WEIGHT);
    return error;
}

static int check_key(struct plait__reader *reader, const plait_value *key)
{
    if (!plait__is_container(key)) return add_weight(reader, bytes_outside(key) / BYTES_OF_WEIGHT);
    if (plait__pickle_depth(key) > PLAIT__DEPTH) return plait__pickle_bad(reader, -EOVERFLOW, "a key is nested too deeply");
    return weigh(reader, key);
}

/* What the table says of a key. */
static int put_error(const struct plait__reader *reader, int error)
{
    if (error >= 0) return 0;
    return error == -EINVAL ? plait__pickle_bad(reader, -EBADMSG, "%s", plait_error_detail()) : error;
}

/* One pair, or an item of a set; the stack forgets it. */
static int put(struct plait__reader *reader, plait_value *into, plait_value **key, plait_value **value)
{
    int error = check_key(reader, *key);
    if (error) return error;
    plait_value *given_key = *key, *given = value ? *value : NULL;
    *key = NULL;
    if (value) *value = NULL;
    return put_error(reader, into->type == PLAIT_OBJECT ? plait__object_put(into, given_key, given)
                                                        : plait__table_put_apart(into, given_key, given));
}

enum { LONG_KEY = 512 };                                   /* such keys are weighed, each by itself */

static inline bool is_string(const plait_value *key)
{
    return key->type == PLAIT_STRING && (key->flags & PLAIT__SHORT || key->as.bytes.size < LONG_KEY);
}

/* How many pairs from there on have a string as their key, up to PLAIT__AT_ONCE. */
static size_t strings_at(const struct plait__reader *reader, size_t from)
{
    size_t count = 0;
    while (count < PLAIT__AT_ONCE && from < reader->count && is_string(reader->slots[from])) {
        count++;
        from += 2;
    }
    return count;
}

/* Most dicts have strings as keys.  From where on there are other ones; those before are the dict's. */
static size_t put_strings(struct plait__reader *reader, plait_value *dict, size_t from)
{
    if (reader->count - from < 2 * PLAIT__AT_ONCE || dict->type != PLAIT_DICT) return from;
    for (size_t count; (count = strings_at(reader, from)) > 0; from += 2 * count)
        plait__table_put_strings(dict, &reader->slots[from], count);
    return from;
}

/* A batch that is full is seldom the last one. */
static int make_room(struct plait__reader *reader, plait_value *into, size_t count)
{
    int error = plait__pickle_spend(reader, count * ENTRY);
    if (error || into->type == PLAIT_OBJECT) return error;
    const struct plait__table *table = into->as.dict.table;
    const bool is_full = !table || table->capacity - table->filled < count;
    const bool goes_on = count == BATCH && is_full && reader->memory / ENTRY > 2 * plait__table_len(into);
    return plait__table_reserve(into, goes_on ? count + 2 * plait__table_len(into) : count);
}

/* All from `from` on, by ones or by twos. */
static int put_all(struct plait__reader *reader, plait_value *into, size_t from, size_t step)
{
    int error = make_room(reader, into, (reader->count - from) / step);
    const size_t left = error || step == 1 ? from : put_strings(reader, into, from);
    for (size_t i = left; i < reader->count && !error; i += step)
        error = put(reader, into, &reader->slots[i], step == 2 ? &reader->slots[i + 1] : NULL);
    if (error) plait__pickle_cut(reader, left);
    reader->count = from;
    return error;
}

static int check_pairs(const struct plait__reader *reader, size_t from)
{
    if ((reader->count - from) % 2 == 0) return 0;
    return plait__pickle_bad(reader, -EBADMSG, "a dict with a key that has no value");
}

/* A new one of that type with all that lies from `from` on. */
static int new_table(struct plait__reader *reader, int type, size_t from, size_t step)
{
    uint32_t depth = 1;
    int error = plait__pickle_spend(reader, PLAIT__CELL);
    if (!error) error = plait__pickle_depth_of(reader, from, &depth);
    plait_value *table = error ? NULL : plait__value_new(type);
    if (!table) return error ? error : plait__pickle_failed(reader);
    error = put_all(reader, table, from, step);
    if (!error) return plait__pickle_push_deep(reader, table, depth);
    plait_value_free(table);
    return error;
}

int plait__pickle_dict(struct plait__reader *reader, size_t from)
{
    int error = check_pairs(reader, from);
    return error ? error : new_table(reader, PLAIT_DICT, from, 2);
}

int plait__pickle_frozenset(struct plait__reader *reader, size_t from)
{
    return new_table(reader, PLAIT_FROZENSET, from, 1);
}

int plait__pickle_setitems(struct plait__reader *reader, size_t from)
{
    int error = check_pairs(reader, from);
    plait_value *dict = error ? NULL : target_below(reader, from, &error);
    if (error) return error;
    if (dict->type == PLAIT_DICT || dict->type == PLAIT_OBJECT) return put_all(reader, dict, from, 2);
    return plait__pickle_bad(reader, -EBADMSG, "a %s has no pairs", plait_value_type_name(dict));
}

int plait__pickle_additems(struct plait__reader *reader, size_t from)
{
    int error;
    plait_value *set = target_below(reader, from, &error);
    if (error) return error;
    if (set->type == PLAIT_SET) return put_all(reader, set, from, 1);
    return plait__pickle_bad(reader, set->type == PLAIT_OBJECT ? -ENOTSUP : -EBADMSG, "items are added to a %s",
                             plait_value_type_name(set));
}

int plait__pickle_set_of(struct plait__reader *reader, int type, const plait_value *list, plait_value **set)
{
    const size_t from = reader->count;
    int error = 0;
    for (size_t i = 0; i < list->as.list.size && !error; i++) error = plait__pickle_push_again(reader, list->as.list.items[i]);
    if (!error) error = new_table(reader, type, from, 1);
    if (error) plait__pickle_cut(reader, from);
    else *set = reader->slots[--reader->count];
    return error;
}
