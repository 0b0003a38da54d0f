#ifndef PLAIT_LOG_LOG_H
#define PLAIT_LOG_LOG_H
enum { PLAIT_LOG_DEBUG = 10, PLAIT_LOG_INFO = 20 };
struct plait__log_state { int level, to_stderr; };
static inline void plait__log(int level, const char *format, ...) { (void)level, (void)format; }
static inline void plait__log_get_state(struct plait__log_state *s) { s->level = s->to_stderr = 0; }
static inline void plait__log_set_state(const struct plait__log_state *s) { (void)s; }
#endif
