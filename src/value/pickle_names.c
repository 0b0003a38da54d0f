/* What Python 2 called modules, and what is in them.  These are the names that values have; of modules of which no value has
 * anything (Tk, databases, parsers) the old names stay. */
#include "value/pickle_names.h"

#include <stdbool.h>
#include <string.h>

/* From left to right for all; from right to left unless it says ONE_WAY. */
enum { BOTH_WAYS, ONE_WAY };

static const struct module {
    const char *in_2, *in_3;
    int ways;
} modules[] = {
    { "__builtin__", "builtins", BOTH_WAYS }, { "exceptions", "builtins", ONE_WAY }, { "copy_reg", "copyreg", BOTH_WAYS },
    { "Queue", "queue", BOTH_WAYS }, { "thread", "_thread", BOTH_WAYS }, { "cPickle", "pickle", ONE_WAY },
    { "_abcoll", "collections.abc", BOTH_WAYS }, { "UserDict", "collections", ONE_WAY }, { "UserList", "collections", ONE_WAY },
    { "UserString", "collections", ONE_WAY }, { "StringIO", "io", ONE_WAY }, { "cStringIO", "io", ONE_WAY },
    { "Cookie", "http.cookies", BOTH_WAYS }, { "cookielib", "http.cookiejar", BOTH_WAYS }, { "httplib", "http.client", BOTH_WAYS },
    { "urlparse", "urllib.parse", BOTH_WAYS }, { "urllib2", "urllib.request", BOTH_WAYS },
    { "xmlrpclib", "xmlrpc.client", BOTH_WAYS }, { "ConfigParser", "configparser", BOTH_WAYS },
};

static const struct name {
    const char *module_in_2, *in_2, *module_in_3, *in_3;
    int ways;
} names[] = {
    { "__builtin__", "xrange", "builtins", "range", BOTH_WAYS }, { "__builtin__", "unicode", "builtins", "str", BOTH_WAYS },
    { "__builtin__", "basestring", "builtins", "str", ONE_WAY }, { "__builtin__", "long", "builtins", "int", BOTH_WAYS },
    { "__builtin__", "unichr", "builtins", "chr", BOTH_WAYS }, { "__builtin__", "reduce", "functools", "reduce", BOTH_WAYS },
    { "__builtin__", "intern", "sys", "intern", BOTH_WAYS }, { "itertools", "izip", "builtins", "zip", BOTH_WAYS },
    { "itertools", "imap", "builtins", "map", BOTH_WAYS }, { "itertools", "ifilter", "builtins", "filter", BOTH_WAYS },
    { "exceptions", "StandardError", "builtins", "Exception", ONE_WAY },
    { "UserDict", "UserDict", "collections", "UserDict", ONE_WAY },
    { "UserDict", "IterableUserDict", "collections", "UserDict", BOTH_WAYS },
    { "UserList", "UserList", "collections", "UserList", BOTH_WAYS },
    { "UserString", "UserString", "collections", "UserString", BOTH_WAYS },
    { "urllib2", "HTTPError", "urllib.error", "HTTPError", BOTH_WAYS },
    { "urllib2", "URLError", "urllib.error", "URLError", BOTH_WAYS },
    { "socket", "_socketobject", "socket", "SocketType", ONE_WAY },
    { "multiprocessing.process", "Process", "multiprocessing.context", "Process", BOTH_WAYS },
    { "multiprocessing", "AuthenticationError", "multiprocessing.context", "AuthenticationError", BOTH_WAYS },
    { "multiprocessing", "BufferTooShort", "multiprocessing.context", "BufferTooShort", BOTH_WAYS },
    { "multiprocessing", "ProcessError", "multiprocessing.context", "ProcessError", BOTH_WAYS },
    { "multiprocessing", "TimeoutError", "multiprocessing.context", "TimeoutError", BOTH_WAYS },
};

static bool is(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

static void become(struct plait__pickle_name *name, const char *module, const char *text)
{
    name->module = module;
    name->module_size = strlen(module);
    if (!text) return;
    name->name = text;
    name->name_size = strlen(text);
}

void plait__pickle_name_from_2(struct plait__pickle_name *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is(name->module, name->module_size, names[i].module_in_2) && is(name->name, name->name_size, names[i].in_2)) {
            become(name, names[i].module_in_3, names[i].in_3);
            return;
        }
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (is(name->module, name->module_size, modules[i].in_2)) {
            become(name, modules[i].in_3, NULL);
            return;
        }
}

void plait__pickle_name_to_2(struct plait__pickle_name *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].ways == BOTH_WAYS && is(name->module, name->module_size, names[i].module_in_3) &&
            is(name->name, name->name_size, names[i].in_3)) {
            become(name, names[i].module_in_2, names[i].in_2);
            return;
        }
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (modules[i].ways == BOTH_WAYS && is(name->module, name->module_size, modules[i].in_3)) {
            become(name, modules[i].in_2, NULL);
            return;
        }
}
