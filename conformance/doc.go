// Package conformance tests any [driver.Backend] against the rules that every backend of
// this project keeps. One call in a test of the backend is enough:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Harness{
//			New:    func(t *testing.T) driver.Backend { return mystore.New() },
//			Bubble: true, // the store is in this process
//		})
//	}
//
// Each rule is one subtest, such as TestConformance/BAS-1_set_then_get. A failure
// prints the rule, its consequence for users, the result, the expected result, and the
// command that runs this rule alone. A wrapper around a backend is
// tested like a backend.
//
// # Declarations
//
// A backend declares what it does not support ([Harness.Unsupported]), how its store
// differs ([Harness.Traits], [Harness.Limits]) and which rules it breaks
// ([Harness.Waived]), each with the reason. The suite checks the declarations: a missing
// one is a failure, and so is a wrong one.
//
// # Outcomes
//
// A case ends in one of six outcomes: [Pass], [Fail], [Unsupported] (declared),
// [Waived] (declared), [Skipped] (it waits in real time and -short was given) and
// [Error] (the harness or the server failed, for example because the server cannot be
// reached). If one rule explains the failures of others, only its failure is
// explained, and [Report.Causes] lists the others. If CONFORMANCE_REPORT names a
// directory, [Run] writes the outcomes there as JSON.
//
// # Hangs and panics
//
// Each mode of a case runs in a goroutine of its own. If it makes no progress, it is
// abandoned, and the next rule runs. The failure has the stacks of its goroutines.
//
// # Shared stores
//
// The suite is safe on a server that other programs use: its keys have a random
// prefix and are removed. It clears only a store that is [Harness.Isolated], or the
// one of [Stores.ClearAllowed].
//
// # Faults
//
// With [Harness.Faults] the suite puts a proxy (package proxy) between the backend
// and its server, and tests the backend while the network fails.
//
// [Check] runs a part of the suite without a test, on a store in use. [Bench]
// measures a backend. The command cmd/conformance-report turns the reports of
// CONFORMANCE_REPORT into a table for a README and an HTML page.
package conformance
