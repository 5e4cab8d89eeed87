// Package loadertest tests that package loader keeps its rules over a store: over a
// backend of your own, behind a wrapper, or on the server that you use.
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
