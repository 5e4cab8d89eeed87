package stores

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// writerVariable makes this binary a process that writes files: "<peer> <threshold>
// <directory>". On each line of its input, which is a number of a key and how many there
// are from it, it stores these and answers with an empty line.
const writerVariable = "BENCH_WRITER"

// Write does the work of a process that writes, and reports whether this is one. It
// comes before everything else in main.
func Write() bool {
	text, is := os.LookupEnv(writerVariable)
	if !is {
		return false
	}
	if err := write(text); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	return true
}

func write(text string) error {
	var name, dir string
	var threshold int
	if _, err := fmt.Sscanf(text, "%s %d %q", &name, &threshold, &dir); err != nil {
		return err
	}
	peers := Files("", threshold).peers
	s, err := peers[slices.IndexFunc(peers, func(p peer) bool { return p.name == name })].open(dir)
	if err != nil {
		return err
	}
	defer s.close()
	value := make([]byte, workload.ValueSize)
	for {
		var first, n int
		switch _, err := fmt.Scanln(&first, &n); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		for _, key := range workload.Keys(first, n) {
			if err := s.set(key, value); err != nil {
				return err
			}
		}
		fmt.Println()
	}
}

// writer is a process that writes.
type writer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// writers write new keys at the same time.
type writers struct {
	all  []writer
	next int // number of the next key
}

func startWriters(n int, peer, dir string, threshold int) (*writers, error) {
	w := &writers{}
	for range n {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %q", writerVariable, peer, threshold, dir))
		cmd.Stderr = os.Stderr
		in, inErr := cmd.StdinPipe()
		out, outErr := cmd.StdoutPipe()
		if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
			w.close()
			return nil, err
		}
		w.all = append(w.all, writer{cmd, in, bufio.NewReader(out)})
	}
	err := w.write(0) // until all are open
	if err != nil {
		w.close()
	}
	return w, err
}

// write stores n keys or a few more, an equal part by each process.
func (w *writers) write(n int) (err error) {
	part := (n + len(w.all) - 1) / len(w.all)
	for _, p := range w.all {
		fmt.Fprintln(p.in, w.next, part) // an error shows as the end of the output
		w.next += part
	}
	for _, p := range w.all {
		_, readErr := p.out.ReadString('\n')
		err = errors.Join(err, readErr)
	}
	return err
}

func (w *writers) close() {
	for _, p := range w.all {
		p.in.Close()
		p.cmd.Wait()
	}
}

// Alone ends the name of a peer of which one process writes where otherwise several do.
const Alone = "-alone"

// Together are new files by two processes and by one.
func Together(name, dir string) measure.Series {
	const threshold = 1_000_000 // which nothing reaches
	s := writing(name, Files(dir, threshold), []int{2, 1}, threshold, func(w *writers, _ string) func(bench) {
		return func(b bench) { check(b, w.write(b.N)) }
	})
	s.Ops = 20_000 // new directories are a small part of them
	return s
}

// Crowd are four processes that fill a directory of ours and go on. What is measured is
// how many entries there are at most.
func Crowd(name, dir string, threshold int) measure.Series {
	kind := Files(dir, threshold)
	kind.peers = kind.peers[:1]
	s := writing(name, kind, []int{4}, threshold, func(w *writers, dir string) func(bench) {
		return func(b bench) {
			most := 0
			for range 3 * looks {
				check(b, w.write(threshold/looks))
				n, err := countEntries(dir)
				check(b, err)
				most = max(most, n)
			}
			b.ReportMetric(float64(most)/float64(threshold), OverThreshold)
		}
	})
	s.Ops, s.MaxRounds = 1, 1
	return s
}

// looks is how often entries are counted while as many are written as there may be.
const looks = 32

// writing is a series whose lanes are the peers with each number of processes. Each turn
// has a directory of its own.
func writing(name string, kind Kind, processes []int, threshold int, run func(w *writers, dir string) func(bench)) measure.Series {
	s := measure.Series{Name: name}
	var root string
	s.Setup = func() (release func(), err error) {
		root, release, err = kind.Start()
		return release, err
	}
	for _, p := range kind.peers {
		for _, n := range processes {
			lane := measure.Lane{Peer: p.name, Lacks: p.lacks, Ours: p.ours}
			if n == 1 {
				lane.Peer += Alone
			}
			lane.Open = func() (func(bench), func(), error) {
				dir, err := os.MkdirTemp(root, "turn")
				if err != nil {
					return nil, nil, err
				}
				w, err := startWriters(n, p.name, dir, threshold)
				if err != nil {
					return nil, nil, err
				}
				return run(w, dir), func() { w.close(); os.RemoveAll(dir) }, nil
			}
			s.Lanes = append(s.Lanes, lane)
		}
	}
	return s
}

func countEntries(dir string) (n int, err error) {
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".cache") {
			n++
		}
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			err = nil
		}
		return err
	})
	return n, err
}
