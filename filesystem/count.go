package filesystem

import (
	"context"
	"io/fs"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// cachelib removes entries when the number in its count file exceeds the threshold. It
// changes the number with every entry that it adds or removes, and does not list the
// directory again while it runs. Without the changes of this package it would keep too
// many entries, or, after entries were removed here, remove all it has. The file is a
// hint: an error while it is read or written changes nothing but the number, which the
// next scan corrects.

// writeCount adds what the holder of the lock has changed to the count file. The caller
// has the lock.
func (b *Backend) writeCount(s *slice) {
	if s.uncounted != 0 && b.keepsCount() {
		b.setCount(s, b.countOf(s)+s.uncounted)
	}
	s.uncounted = 0
}

// keepsCount reports whether there is a count file: cachelib has none without a threshold.
func (b *Backend) keepsCount() bool { return b.layout.flask && b.options.Threshold != NoLimit }

// correctCount makes the number that of a list of the directory, which was made just now.
func (b *Backend) correctCount(ctx context.Context, t *tree) error {
	s := t.slices[0].Load()
	if s == nil || !b.keepsCount() {
		return nil
	}
	return b.withLock(ctx, s, func() error {
		t.usage.mu.Lock()
		entries := t.usage.slices[0].entries
		t.usage.mu.Unlock()
		if b.countOf(s) != entries {
			b.setCount(s, entries)
		}
		return nil
	})
}

// countOf returns the number in the count file, 0 if it has none.
func (b *Backend) countOf(s *slice) int {
	e, err := s.read(b.layout.countFile, flaskCountKey, nil, true)
	n, ok := driver.ParseInteger(e.value)
	if err != nil || !ok {
		return 0
	}
	return int(max(0, n))
}

func (b *Backend) setCount(s *slice, n int) {
	temp := b.temps.next(time.Now())
	f, err := s.create(temp, fs.FileMode(b.options.Mode))
	if err != nil {
		return
	}
	err = writeEntry(f, b.layout, entry{value: strconv.AppendInt(nil, int64(max(0, n)), 10)})
	if mode := fs.FileMode(b.options.Mode); err == nil && mode&0o077 != 0 { // as in writeTx.fill
		err = f.chmod(mode)
	}
	if closeErr := f.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = s.rename(temp, b.layout.countFile)
	}
	if err != nil {
		s.remove(temp)
	}
}
