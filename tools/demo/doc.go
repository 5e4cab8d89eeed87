// Demo uses the library in a program: eight concurrent callers of a typed view of a
// cache in memory share one slow load. It is the last part of demo.sh, which
// demonstrates cachectl.
package main
