// Command bench compares backends with their peers, in one run: simple with the
// caches, maps and byte caches of other authors, filesystem with diskv and with the
// bare system calls, redis and memcached with other clients of their servers, all
// of them with Flask-Caching; and it shows how their cost grows.
//
//	bench [-quick] [-run regexp] [-rounds 5] [-time 100ms] [-dirs dir,dir] [-out results]
//
// Peers take turns within each round, so that drift of the machine meets all of
// them. What counts is the ratio within a round, of which the median over the
// rounds is shown. The goals of the project are checked and marked; one that is
// missed makes the exit status 1, a series that failed makes it 2.
//
// The report goes into a directory: results.html with tables and charts in one
// file, results.md with images beside it, results.json with every sample, and
// results.txt, of which benchstat compares two.
//
// The same measurements run under go test -bench, as
// Benchmark<Group>/<case>/<size>/<peer>.
package main
