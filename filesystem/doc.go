// Package filesystem is a cache backend that keeps each entry in a file, in one
// directory that several processes may share. It needs only the standard library,
// and registers itself as CACHE_TYPE "filesystem".
//
// # Errors and retries
//
// A file that is truncated, damaged, of another version or foreign is
// [driver.ErrCorrupt] from Get and absent for every other method. So is a file that
// only this process cannot read, for example one of another user, and what is not a
// regular file. The next write replaces it.
//
// A full disk or an exceeded quota is [driver.ErrFull]; the old value remains. A file
// that cannot be replaced or removed, because it is immutable, belongs to another user
// in a sticky directory or is open on Windows, fails alone: its error matches
// [io/fs.ErrPermission] or the error of the system, but not [driver.ErrUnavailable].
// Clear and ClearPrefix remove all other entries first. Every other error of the file
// system is [driver.ErrUnavailable]. All of them also wrap the error of the file
// system.
//
// Nothing is retried, with two exceptions. If the directory has been removed, a write
// creates it again and a read opens the directory that has replaced it. If the
// temporary file of a write disappears, the write creates it again.
//
// # Expiry
//
// Expiry has a resolution of a microsecond, whatever times the file system keeps, and
// is measured by the wall clock, which all processes share: setting the clock forward
// expires entries early. An expired file is removed when the directory is next scanned.
//
// # Limits
//
// Key and value together take at most 1 GiB; more is [driver.ErrTooLarge].
//
// A new entry that would exceed [Options.Threshold] starts an eviction, which first
// removes the expired entries, and if there are none, the eighth that expires soonest;
// entries that never expire are last, the oldest of them first. Up to a threshold of 4096
// this is the eighth of all entries, and one process keeps the threshold exactly. Above,
// each step of an eviction looks at a part of the directory: one of the 64 fan-out
// directories or at least 4096 entries, in turn, and removes the eighth of these. Keys are
// spread by their hash, so that the part is like the whole. Steps begin while there is
// still room for a 64th of the threshold, so that writes seldom wait. A write that waits
// gets its room as soon as files are removed, and those which wait get it in turn. If
// there are far more entries than the threshold, because others have added them or the
// threshold was higher, a write waits for the removal of two.
//
// Each process counts the entries separately. A step corrects the count, and begins at
// the latest when the process has added an eighth of the entries that one step looks at.
// So n processes which write at the same speed may exceed the threshold by n-1 eighths for
// a while. A process that opens a directory of more than 4096 entries counts a part of it
// and estimates the whole, usually to within a tenth. Until it has scanned everything
// once, it may exceed the threshold by an eighth. The scans go on without a limit too,
// and remove what has expired: the whole directory is scanned after it has doubled, and
// about every ten minutes in which something is written.
//
// An eviction runs in the background until it ends. A call whose context has a
// deadline waits for it during half of the time that is left; it then stores its entry
// all the same, which exceeds the threshold until the eviction has ended. Files that
// cannot be removed do not count.
//
// # Leases
//
// A lease is a file in place of the entry. It counts towards [Options.Threshold], but is
// evicted after all entries. If the wall clocks of processes differ or are set, a lease may
// end early or late, which causes a second load or a longer wait, but never a stale value.
// Fill and CompareAndSwap are atomic wherever Inc is.
//
// # Concurrency
//
// Reads take no lock. A write fills a temporary file and renames it: readers see
// whole entries only, and a crash leaves the old value or the new one. While a
// file gets or loses its name, the writer holds a lock (flock) on its fan-out
// directory, which the kernel releases if the process dies. Writes of keys in different
// fan-out directories do not wait for each other. Add has one winner and Inc loses
// no update, in all processes of a machine. If others hold the lock longer than
// [Options.LockTimeout], the call returns [driver.ErrUnavailable]. On systems without
// flock, such as Windows, the lock covers one process. Without [Options.Sync] a power
// failure may lose the latest writes.
//
// Add makes a hard link, which fails if the name exists. On a file system without hard
// links, such as FAT and many mounts of object stores, Add creates an empty file first:
// it then has one winner on one machine, but not across hosts that do not share the
// lock.
//
// # Files
//
// The file of an entry is called <hash of the key in hex>.cache and is in one of 64
// fan-out directories, by the first six bits of the hash: the files in "a8" begin with
// a8, a9, aa or ab. With 64, a listing of a million entries is short enough to be one
// step of an eviction, and a small cache can still be listed as a whole. A fan-out
// directory is created when it is first used, with the permissions and, if the process
// may set it, the owner of the directory, and stays. An open [Backend] keeps one
// descriptor for each that it has used.
//
// A name by MD5 or SHA-1, for which keys with equal sums can be made, also contains half
// of a SHA-256. No key names a file outside the directory, and links are not followed. All
// numbers in the file are little-endian:
//
//	 0  4  "cbfs"
//	 4  2  version, 2
//	 6  2  flags, 0
//	 8  8  expiry in microseconds since 1970 UTC, 0 for never; negative: end of a lease
//	16  8  length of the value
//	24  4  length of the key
//	28  4  CRC-32C of all other bytes
//	32     key, value
//
// The expiry is also the modification time of the file, so that eviction need not
// open it. An entry that never expires has a time which is later than every other:
// about 2258, or 2037 if the times of the system have 32 bits. If the modification
// time has passed, for example after a restore from a backup or because the file
// system cuts times, eviction reads the header. A lease has the token as its value and
// the modification time 0.
//
// Files called <time in hex>-<random>.tmp in a fan-out directory are writes in progress.
// A scan removes those which are older than an hour. All other files are left alone.
// Among them are the entries of version 1, which were never part of a release and had no
// fan-out directories: remove the files called *.cache in the directory itself.
//
// # Files of Flask
//
// With [Options.Flask] the directory is one of cachelib's FileSystemCache (versions 0.7 to
// 0.15), which Flask-Caching uses: all files are in the directory itself, their names are
// the hash of the key in hex, MD5 by default, and they contain the end of life in seconds
// as a C unsigned int, 0 for never, and a pickle. An integer is decimal text for the
// callers of a [Backend], as elsewhere, and the pickle of an int in the file. Writes are as
// atomic as without Flask, and Go programs lock each other out; Python takes no locks. The
// format has these limits:
//
//   - The files do not contain their keys: two keys with the same MD5 are one entry, and
//     ClearPrefix is unsupported. A prefix is a part of the key.
//   - The end of life has whole seconds, rounded up, and is not later than 2106. Python
//     rounds down.
//   - There is no checksum: a damaged pickle is a value.
//   - Add and Inc of Python are not atomic, neither among Python programs nor with Go.
//     Python's inc also starts a new TTL. Its add returns False if there is a file, even
//     one that has expired, and so during a lease.
//   - A lease is a file that has expired in 1970. Python's pruning may remove it, which ends
//     the lease.
//   - The key __wz_cache_count is [driver.ErrInvalidKey]: cachelib keeps the number of
//     entries in its file. This package updates the number, so that Python prunes at the same
//     threshold. If both sides write at once, the number may drift; the next scan corrects
//     it.
//   - Python removes every file of the directory in clear, and never-expiring entries first
//     when it prunes.
//   - Everything is in one directory with one lock, and a listing of it is one step of an
//     eviction. Many thousands of entries are slow, as they are in Python.
//
// The package has no [driver.Watcher]: with inotify, every process would hold 64 watches
// and wake up for every write of its own.
package filesystem
