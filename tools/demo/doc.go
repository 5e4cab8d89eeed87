// Demo shows the library in a program: a typed view of a cache in memory, filled
// by one slow load however many callers ask. It is the last part of demo.sh,
// which shows cachectl.
package main
