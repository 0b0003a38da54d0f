/* plait/export.h - how a public function is declared.  Nothing here is for users. */
#ifndef PLAIT_EXPORT_H
#define PLAIT_EXPORT_H

#ifdef __cplusplus
#define PLAIT_BEGIN extern "C" {
#define PLAIT_END }
#else
#define PLAIT_BEGIN
#define PLAIT_END
#endif

#define PLAIT_API __attribute__((visibility("default")))

/* What plait's own libraries use of each other, and nobody else; it changes without notice (PLAIT_PRIVATE in src/plait.map). */
#define PLAIT__API PLAIT_API

/* Functions that are inlined always, and functions that the library has too, for whoever does not optimize. */
#define PLAIT__INLINE extern __inline__ __attribute__((__gnu_inline__, __always_inline__, __artificial__))
#define PLAIT__INLINE_TOO extern __inline__ __attribute__((__gnu_inline__))

/* The result is news that must not be missed (a holder that died, a message that was not taken). */
#define PLAIT_MUST_CHECK __attribute__((warn_unused_result))

#endif
