// accounts - a process is killed in the middle of a transfer; the next one to get the lock is told, and repairs the books.
//
// In C++: the book lies in shared memory, guards hold its lock, a lambda is the child's body.  What the guard can not do is to
// finish what the dead one had begun; so each transfer is written into the book before it is made.
#include <csignal>
#include <cstdio>
#include <exception>

#include <plait.hpp>

struct book {
    plait::lock lock;
    long balance[2];
    long amount;                        // of the transfer under way, 0: none
    long before[2];                     // the balances when it began
};

static void transfer(book &book, long amount, bool dies)
{
    plait::guard guard(book.lock);
    if (guard.owner_died() && book.amount) {
        std::printf("someone died in a transfer of %ld; it is undone\n", book.amount);
        for (int i : { 0, 1 }) book.balance[i] = book.before[i];
        book.amount = 0;
    }
    for (int i : { 0, 1 }) book.before[i] = book.balance[i];
    book.amount = amount;
    book.balance[0] -= amount;
    if (dies) std::raise(SIGKILL);      // the money is nowhere now
    book.balance[1] += amount;
    book.amount = 0;
}

int main()
try {
    plait::shared<book> book;
    book->balance[0] = 100;

    for (bool dies : { false, true, false }) {
        plait::process child([&] { transfer(*book, 10, dies); });
        child.join();
        std::printf("a child ended with %d\n", child.exitcode());
    }
    std::printf("%ld + %ld = %ld\n", book->balance[0], book->balance[1], book->balance[0] + book->balance[1]);
} catch (const std::exception &error) {
    std::fprintf(stderr, "accounts: %s\n", error.what());
    return 1;
}
