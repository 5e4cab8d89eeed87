package main

import (
	"context"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress tells a person on stderr how far a command is: a bar on a terminal, otherwise
// a line every ten seconds.
type progress struct {
	app   *app
	what  string // such as "copied"
	bar   *progressbar.ProgressBar
	done  int64
	total int64 // entries; -1 if unknown
	next  time.Time
}

const progressInterval = 10 * time.Second

func (a *app) newProgress(what string, total int64) *progress {
	p := &progress{app: a, what: what, total: total, next: time.Now().Add(progressInterval)}
	if isTerminal(a.stderr) && !a.json {
		p.bar = progressbar.NewOptions64(max(total, -1),
			progressbar.OptionSetWriter(a.stderr), progressbar.OptionSetDescription(what),
			progressbar.OptionSetItsString("entries"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(total > 0))
	}
	return p
}

func (p *progress) add(n int) {
	p.done += int64(n)
	if p.bar != nil {
		if p.total >= 0 && p.done > p.total { // the store grows meanwhile
			p.total = p.done
			p.bar.ChangeMax64(p.total)
		}
		p.bar.Add(n)
		return
	}
	if now := time.Now(); !now.Before(p.next) && !p.app.json {
		p.next = now.Add(progressInterval)
		fmt.Fprintf(p.app.stderr, "cachectl: %s %d entries so far\n", p.what, p.done)
	}
}

// warn prints a warning between two states of the bar.
func (p *progress) warn(err error) {
	if p.bar != nil {
		p.bar.Clear()
	}
	p.app.warn(err)
}

// finish removes the bar.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Exit()
		p.bar.Clear()
	}
}

// entriesOf returns the number of entries to expect under prefix, -1 if it is unknown. A
// store shared with other programs counts theirs too.
func entriesOf(ctx context.Context, s *entryStore, prefix string) int64 {
	if s.prefix+prefix != "" {
		return -1
	}
	stats, err := s.cache.Stats(ctx)
	if err != nil {
		return -1
	}
	return stats.Entries
}
