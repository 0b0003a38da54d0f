/* family/handover.h - blocks that change their owner at the moment of a commit.
 *
 * A block belongs to a member, and dies with it, or to the family.  When one is put into a shared object or taken out of it, two
 * words have to change at once: the block's tag, and the word of the object that the member owns (struct plait__owned).  So the
 * member notes in its slot what it is about to hand over:
 *
 *     to give:  own the word; plait__give (notes it, makes the block the family's); commit; plait__handed_over
 *     to take:  own the word; plait__take (notes it); commit; plait__taken (makes the block ours, forgets the note)
 *
 * If it dies in between, the word tells how far it came: who is still named there has committed nothing, and its hand-overs are
 * *cut*.  Whoever removes the dead one's name from the word, be it repair or the next owner, marks them so first.  Then repair
 * gives what was given in vain, or wholly taken, back to the dead one, whose memory is swept right after.
 *
 * Who may write: a note, its member; the mark of being cut, anyone, by compare-and-swap on the note as it was when the word still
 * named the dead one; and whoever has the dead one's pulse.
 */
#ifndef PLAIT_FAMILY_HANDOVER_H
#define PLAIT_FAMILY_HANDOVER_H

#include "family/roster.h"

/* place: which of the notes of the slot, 0 to PLAIT__HANDOVERS - 1. */
void plait__give(unsigned place, void *block);
void plait__take(unsigned place, void *block);

/* After the commit. */
void plait__taken(unsigned place, void *block);

static inline void plait__handed_over(unsigned place)
{
    plait__in_order();
    atomic_store_explicit(&plait__slot(plait__self.slot)->handovers[place], 0, memory_order_release);
}

/* `seen` is what *word is, and its owner is dead: mark the owner's hand-overs as cut.  False: the word has changed, look again. */
bool plait__cut_handovers(_Atomic uint64_t *word, uint64_t seen);

/* Under the dead one's pulse, after its words were freed and before the heap is swept. */
void plait__settle_handovers(uint32_t dead);

#endif
