// Command bench compares the backends with their peers in one run: simple with the
// in-process caches and maps of other authors, filesystem with diskv and with the bare
// system calls, redis, memcached, uwsgi and gcs with other clients of their servers,
// and all of them with Flask-Caching.
//
//	bench [-run regexp] [-quick] [-rounds 7] [-time 60ms] [-dirs dir,dir] [-out results] [-goals]
//	bench -from results/results.txt [-goals]
//	bench -against old-bench [-run regexp]
//
// Peers take turns within each round, so that a machine that gets slower affects all
// of them. Compared are the values of one round; the report shows the median of their
// ratios with its interval.
//
// The report is a directory: results.md with the tables, overview.svg, and results.txt
// with every value in the format of go test -bench, for benchstat and for -from.
//
// With -goals the goals of the project follow on standard output. The exit status is 1
// if one is missed and 2 if something failed.
//
// With -against the backends of this binary are compared with those of another build
// of it.
package main
