/* join/path.h - the path of a door: who may have it, and when it was left behind.
 *
 * A path is replaced, or removed as left behind, by whoever holds a lock (flock) on its folder, or by who made it.  Who can't get
 * that lock only makes one where none is.
 */
#ifndef PLAIT_JOIN_PATH_H
#define PLAIT_JOIN_PATH_H

#include "join/address.h"

/* Let the socket listen there, also if another was left behind there by its maker: 0 or -errno, without a detail. */
int plait__take_path(int fd, const struct plait__address *address, int backlog);

/* A descriptor that says what lies there, and keeps its inode from being used anew.  Below 0: none, or the name is abstract. */
int plait__pin_path(const struct plait__address *address);

/* The door that was there at plait__pin_path was left behind: remove it, if it is still the one. */
void plait__remove_left_behind(const struct plait__address *address, int pin);

#endif
