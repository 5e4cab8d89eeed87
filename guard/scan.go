package guard

import (
	"context"
	"iter"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists the entries whose key begins with prefix. It has no budget. For the breaker
// it is a call that ends with the first entry; a failure after that is another one. A scan
// that its caller ends decides nothing.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		p, err := b.enter(b.whole)
		if err != nil {
			yield(driver.Entry{}, err)
			return
		}
		passed, v := true, undecided // also if the guarded backend panics
		leave := func(err error) {
			if passed {
				passed = false
				b.whole.leave(p, v, err)
			}
		}
		defer leave(nil)
		for entry, err := range b.Operations.Scan(ctx, prefix) {
			if v = verdictOf(err); v == fault && ctx.Err() != nil {
				v = undecided
			}
			if err != nil && !passed {
				p, errOpen := b.whole.enter()
				if errOpen == nil {
					b.whole.leave(p, v, err)
				}
			}
			leave(err)
			if !yield(entry, err) {
				return
			}
		}
		v = answered // an empty list
	}
}

var _ driver.Scanner = (*Backend)(nil)
