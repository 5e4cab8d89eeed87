// Package loadertest tests the rules of package loader over a store: your own backend, a
// wrapper, or a server.
//
//	func TestLoader(t *testing.T) {
//		loadertest.Run(t, loadertest.Harness{
//			New: func(t *testing.T) (one, other *cache.Cache) {
//				c := cache.New(mystore.New())
//				return c, c
//			},
//			Bubble: true, // the store is in this process
//		})
//	}
//
// Each rule is one subtest with an ID that is never reused for another rule. The rules
// do not depend on the speed of the machine.
package loadertest
