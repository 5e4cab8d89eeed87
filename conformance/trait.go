package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// Trait is a documented way in which a store differs from a rule.
type Trait string

// The traits.
const (
	// ReadsBeforeDelete means that the backend reads an entry before it deletes it,
	// because the store reports expired entries as deleted. BAT-12 then allows a
	// second round trip per key.
	ReadsBeforeDelete Trait = "ReadsBeforeDelete"
	// ServerStartsTTL means that the server counts the TTL from the moment at which it
	// executes the write. TTL-14 then allows a slow write to end later.
	ServerStartsTTL Trait = "ServerStartsTTL"
	// OneTTL means that all entries have one TTL, or none: the store ignores the TTL of
	// a call. The rules about the TTL of an entry are then unsupported.
	OneTTL Trait = "OneTTL"
	// LateEviction means that a bounded store evicts a moment after a write, or does not
	// admit an entry. The rules about which entry is evicted are then unsupported, and
	// EVI-1 waits for the eviction.
	LateEviction Trait = "LateEviction"
	// OneHandle means that the store cannot be opened while another handle is open, such
	// as a locked file. Stores.Reopen then returns nil. The rules about two handles are
	// unsupported.
	OneHandle Trait = "OneHandle"
)

// traits say which rules a trait concerns.
var traits = []struct {
	trait Trait
	when  string // the store that should declare it
	// The declared trait turns a failure of these rules into Unsupported.
	excuses []string
	// A failure of these rules names the trait if it is not declared.
	namedBy []string
}{
	{LateEviction, "the store evicts a moment after a write, or does not admit every entry",
		[]string{"EVI-2", "EVI-3", "EVI-4", "EVI-6", "STA-5"}, []string{"EVI-1", "EVI-3", "EVI-4", "EVI-6"}},
	{OneTTL, "the store has one TTL for all entries, or none",
		[]string{"ADD-2", "ADD-3", "APP-3", "BAS-3", "BAS-4", "BAS-9", "BAS-12", "BAS-13", "BAT-11", "DEL-1", "EVI-3", "LIF-2", "LIF-3", "LIF-4", "LSE-10", "LSE-12", "LSE-21", "LSE-22", "MOD-2", "PER-1", "SCN-5", "STA-4", "SWP-3", "SWP-7", "TTL-1", "TTL-2",
			"TTL-3", "TTL-6", "TTL-7", "TTL-8", "TTL-9", "TTL-14", "TTL-15", "TTL-16", "TTL-18"}, []string{"TTL-6"}},
	{OneHandle, "only one handle of the store can be open (Stores.Reopen then returns nil)",
		[]string{"ADD-6", "PER-2"}, []string{"ADD-6", "PER-2"}},
	{ServerStartsTTL, "the server counts the TTL from the arrival of the write", nil, []string{"TTL-14"}},
	{ReadsBeforeDelete, "the store reports expired entries as deleted", nil, []string{"BAT-12"}},
}

// isTrait reports whether the suite has trait.
func isTrait(trait Trait) bool {
	for _, known := range traits {
		if known.trait == trait {
			return true
		}
	}
	return false
}

// excuse returns the reason of a declared trait that allows the failure of a rule.
func (h Harness) excuse(id string) (reason string, excused bool) {
	for _, t := range traits {
		if h.declares(t.trait) && slices.Contains(t.excuses, id) {
			return h.Traits[t.trait], true
		}
	}
	return "", false
}

// traitHint names the traits and limits that would allow the failure of a rule.
func (h Harness) traitHint(id string) string {
	var hints []string
	for _, t := range traits {
		if !h.declares(t.trait) && slices.Contains(t.namedBy, id) {
			hints = append(hints, fmt.Sprintf("declare Traits[conformance.%s], if %s", t.trait, t.when))
		}
	}
	if id == "PER-2" && h.Limits.Staleness == 0 {
		hints = append(hints, "declare Limits.Staleness, if a handle may read for a bounded time what another has replaced")
	}
	return strings.Join(hints, "\n        ")
}
