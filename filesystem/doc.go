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
// A new entry that would exceed [Options.Threshold] first removes the expired entries.
// If there are none, it removes the eighth of the threshold that expires soonest;
// entries that never expire are last, the oldest of them first. Each process counts
// the entries separately and scans the directory after adding an eighth of the
// threshold, so that n processes may exceed it by n-1 eighths for a while. Without
// a limit the directory is still scanned at times, and expired entries are removed.
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
// file gets or loses its name, the writer holds a lock (flock) on the directory,
// which the kernel releases if the process dies. Add has one winner and Inc loses
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
// The file of an entry is called <hash of the key in hex>.cache. A name by MD5 or
// SHA-1, for which keys with equal sums can be made, also contains half of a
// SHA-256. No key names a file outside the directory, and links are not followed. All
// numbers in the file are little-endian:
//
//	 0  4  "cbfs"
//	 4  2  version, 1
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
// Files called <time in hex>-<random>.tmp are writes in progress. A scan of the
// directory removes those which are older than an hour. All other files are left
// alone.
package filesystem
