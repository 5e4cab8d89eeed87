// Package cachetest is for the tests of programs that use a cache: a store in memory
// that fails, is slow or loses replies on demand, and records its calls.
//
//	func TestOutage(t *testing.T) {
//		c, store := cachetest.New(t)
//		store.Fail("get", "", cache.ErrUnavailable)
//		... // the code under test, with c
//		if len(store.Calls()) > 10 {
//			t.Error("it asks a cache that is down again and again")
//		}
//	}
//
// Expiry follows time.Now, so that in a bubble of testing/synctest hours pass at once.
// The store has every optional interface that keeps entries; a fault with
// errors.ErrUnsupported makes it a store without one.
package cachetest
