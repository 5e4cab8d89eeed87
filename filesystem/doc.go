// Package filesystem is a cache backend that keeps each entry in a file of its
// own, in one directory that several programs may share. It needs nothing but
// the standard library, and registers itself as CACHE_TYPE "filesystem".
//
// # Guarantees
//
// Readers take no lock and see whole entries only: a write is a finished
// temporary file that takes its name in one step, so that a crash leaves the old
// value or the new one. Add has one winner and Inc loses nothing, across all
// processes of a machine; for that writers hold a lock on the directory itself
// for the moment in which an entry takes its name. The lock goes with the process
// that dies. On systems without flock, Windows among them, it covers one process.
//
// A file that is cut short, damaged, written by another version or by somebody
// else is a miss, and the next Set repairs it. Names are hashes, so that no key
// leads out of the directory, and links are never followed.
//
// # Files
//
// The entry of a key is the file <hash of the key in hex>.cache; to MD5 and SHA-1,
// for which colliding keys are easily made, half of a SHA-256 is added. All
// numbers in it are little-endian:
//
//	 0  4  "cbfs"
//	 4  2  version, 1
//	 6  2  flags, 0
//	 8  8  end of life in microseconds since 1970 UTC, 0 for never
//	16  8  length of the value
//	24  4  length of the key
//	28  4  CRC-32C of all other bytes
//	32     key, value
//
// The end of life is also the file's modification time, so that Has and eviction
// ask the directory alone; for entries that never expire it is 200 years after
// the write, which makes the oldest of them the first to go. Has reads the file
// all the same where that time is near or past, as it is on files that somebody
// has written into or restored from a backup. Eviction takes them for expired.
//
// Files <time in hex>-<random>.tmp are writes under way. What a crash left of
// them is removed an hour later. Other names belong to somebody else, and stay.
//
// # Size
//
// A write that would exceed [Options.Threshold] first removes the expired
// entries or, without any, the eighth that is soonest to expire. Each process
// counts on its own and recounts after every eighth of the threshold, so that n
// processes may exceed it by n-1 eighths for a while.
package filesystem
