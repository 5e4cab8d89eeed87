package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells how far a run is. Its guess of the time left comes from how long
// the series so far took, of what was estimated for them.
type progress struct {
	to     io.Writer
	inLine bool // one line that is written over again and again: a terminal

	rounds     int
	turn       time.Duration
	all, begun int
	total      time.Duration // estimated
	done       time.Duration // of total
	start      time.Time
}

func newProgress(all []series, rounds int, turn time.Duration) *progress {
	p := &progress{to: os.Stderr, rounds: rounds, turn: turn, all: len(all), start: time.Now()}
	if info, err := os.Stderr.Stat(); err == nil {
		p.inLine = info.Mode()&os.ModeCharDevice != 0
	}
	for _, s := range all {
		p.total += s.estimate(rounds, turn)
	}
	return p
}

func (p *progress) begin(s series) {
	p.begun++
	line := fmt.Sprintf("%d of %d, about %v left: %s", p.begun, p.all, p.left(time.Since(p.start)), s.title())
	if p.inLine {
		fmt.Fprintf(p.to, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(p.to, line)
	}
}

func (p *progress) end(s series) {
	p.done += s.estimate(p.rounds, p.turn)
	if p.inLine && p.begun == p.all {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// left believes the estimate at first, and what was measured more and more.
func (p *progress) left(elapsed time.Duration) time.Duration {
	pace := 1.0
	if p.done > 0 {
		pace = float64(elapsed+10*time.Second) / float64(p.done+10*time.Second)
	}
	left := time.Duration(pace * float64(p.total-p.done))
	if left > time.Minute {
		return left.Round(10 * time.Second)
	}
	return left.Round(time.Second)
}
