// Package conformance tests any [cache.Backend] against the behaviours that
// every backend of this project keeps. One call in a test of the backend is
// enough to start:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Harness{
//			New:    func(t *testing.T) cache.Backend { return mystore.New() },
//			Bubble: true, // the store lives in this process
//		})
//	}
//
// Each rule is one subtest, such as TestConformance/BAS-1_set_then_get. A
// failure says which rule broke, why the rule is there, what was got and wanted,
// and the command that runs this rule alone. What a backend cannot do it
// declares in [Harness.Unsupported] with the reason; declarations are checked,
// those that are missing and those that are not true.
//
// A case ends in one of five outcomes: pass, fail, unsupported (declared, with
// the reason), skipped (it needs real time and -short was given) and error (the
// harness or the server is broken, a server that cannot be reached included).
// With CONFORMANCE_REPORT=dir in the environment they are written to dir as JSON.
//
// The suite is safe on a server that others use: its keys carry a random prefix,
// it removes them, and it empties a store only where [Harness.Isolated] allows it,
// or that of [Harness.Emptied].
//
// [Check] runs a part of the suite without a test, on a store in use. [Bench]
// measures a backend.
package conformance
