package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// watch shows what goes on and for how long, where somebody watches, until stopped.
func (a *app) watch(what string) (stop func()) {
	if !isTerminal(a.stderr) {
		return func() {}
	}
	start, done := time.Now(), make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			fmt.Fprintf(a.stderr, "\r\x1b[K%s: %.1f s", what, time.Since(start).Seconds())
			select {
			case <-done:
				io.WriteString(a.stderr, "\r\x1b[K")
				return
			case <-ticker.C:
			}
		}
	})
	return func() { close(done); ended.Wait() }
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
