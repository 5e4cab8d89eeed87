package null

import (
	"context"
	"iter"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists nothing.
func (b *Backend) Scan(context.Context, string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := b.checkOpen(); err != nil {
			yield(driver.Entry{}, err)
		}
	}
}

var _ driver.Scanner = (*Backend)(nil)
