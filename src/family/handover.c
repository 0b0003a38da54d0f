#include "family/handover.h"

/* A note: | block, in 16 bytes from the arena's memory: 32 | life: 16 | state: 16 |.  The life keeps those who are late from
 * marking the notes of the slot's next member. */
#define GIVING 1u
#define TAKING 2u
#define CUT 4u

static uint64_t note_of(const void *block, unsigned state)
{
    uint64_t offset = (uint64_t)((const char *)block - plait__arena->memory) / 16, life = plait__self.owner >> 32 & 0xffff;
    return offset << 32 | life << 16 | state;
}

static void *block_of(uint64_t note)
{
    return plait__arena->memory + (note >> 32) * 16;
}

static void note(unsigned place, uint64_t what)
{
    atomic_store_explicit(&plait__slot(plait__self.slot)->handovers[place], what, memory_order_release);
    plait__in_order();
}

void plait__give(unsigned place, void *block)
{
    note(place, note_of(block, GIVING));
    plait__heap_retag(block, PLAIT__TAG_SHARED);
}

void plait__take(unsigned place, void *block)
{
    note(place, note_of(block, TAKING));
}

/* From now on there are blocks that die with us. */
static void have_private(void)
{
    _Atomic uint32_t *flags = &plait__slot(plait__self.slot)->flags;
    if (!(atomic_load_explicit(flags, memory_order_relaxed) & PLAIT__HAS_PRIVATE)) atomic_fetch_or(flags, PLAIT__HAS_PRIVATE);
}

void plait__taken(unsigned place, void *block)
{
    have_private();
    plait__heap_retag(block, plait__self.slot);
    plait__handed_over(place);
}

/* The notes are read before the word is looked at again: so they are those of the operation that the word still names. */
bool plait__cut_handovers(_Atomic uint64_t *word, uint64_t seen)
{
    struct plait__slot *slot = plait__slot(plait__slot_of((uint32_t)seen & 0xffff));
    uint64_t notes[PLAIT__HANDOVERS];
    for (unsigned i = 0; i < PLAIT__HANDOVERS; i++) notes[i] = atomic_load(&slot->handovers[i]);
    if (atomic_load(word) != seen) return false;
    for (unsigned i = 0; i < PLAIT__HANDOVERS; i++) {
        if (notes[i]) atomic_compare_exchange_strong(&slot->handovers[i], &notes[i], notes[i] | CUT);
    }
    return true;
}

/* It may be done again at any point: the block has the dead one's tag until the sweep, which comes when no note is left. */
void plait__settle_handovers(uint32_t dead)
{
    struct plait__slot *slot = plait__slot(dead);
    for (unsigned i = 0; i < PLAIT__HANDOVERS; i++) {
        uint64_t what = atomic_load(&slot->handovers[i]);
        if (!what) continue;
        bool given = (what & GIVING) != 0, cut = (what & CUT) != 0;
        if (given == cut) {
            atomic_fetch_or(&slot->flags, PLAIT__HAS_PRIVATE);
            plait__heap_retag(block_of(what), dead);
        }
        atomic_store(&slot->handovers[i], 0);
    }
}
