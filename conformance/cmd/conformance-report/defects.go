package main

import (
	_ "embed"
	"encoding/json"
)

// defectsJSON has, by rule, what is wrong with the backends that the suite is tested with
// and that break the rule. It is generated from the tests of the suite: go test -run
// TestDefects -update.
//
//go:embed defects.json
var defectsJSON []byte

// readDefects returns the defects that the suite finds, by the ID of the rule.
func readDefects() (map[string][]string, error) {
	defects := map[string][]string{}
	err := json.Unmarshal(defectsJSON, &defects)
	return defects, err
}
