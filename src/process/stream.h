/* process/stream.h - pipes between this process and the standard streams of a child. */
#ifndef PLAIT_PROCESS_STREAM_H
#define PLAIT_PROCESS_STREAM_H

#include "process/process_internal.h"

/* The child's ends of what its plan says. */
struct plait__streams {
    int sources[3];                                        /* a descriptor; -1: /dev/null; -2: stays as it is */
    int pipes[3];                                          /* those of them that are ours to close; -1 */
};

/* Make the pipes; ours go into the object.  0, or an error with a detail and nothing left behind. */
int plait__streams_make(plait_process *process, struct plait__streams *streams);

/* After the start: the child has its ends.  After a failed one: ours are for nothing, too. */
void plait__streams_given(struct plait__streams *streams);
void plait__streams_drop(plait_process *process, struct plait__streams *streams);

/* Our end of stream `number`, if there is one. */
void plait__stream_close(plait_process *process, int number);

/* What communicate has read before its deadline came. */
struct plait__capture;
void plait__capture_free(struct plait__capture *capture);

#endif
