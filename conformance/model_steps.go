package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// step is one call of a generated sequence.
type step struct {
	verb  string
	by    int      // which handle makes the call
	keys  []string // several for a batch; for ClearPrefix and Scan, the prefix
	value sample   // of the first key
	old   sample   // that CompareAndSwap compares
	match bool     // old is what the model expects, if the key is present
	ttl   time.Duration
	delta int64
	wait  time.Duration // of a pause, or the hold of a lease
}

// valueOf returns the value of keys[i]. The values of a batch differ.
func (s step) valueOf(i int) sample {
	v := s.value
	if v.size > 0 {
		v.seed += byte(i)
	} else if i > 0 {
		v.text += strconv.Itoa(i)
	}
	return v
}

// sample is a value: a text, or random bytes if size is not 0. Random bytes cannot be
// compressed or deduplicated.
type sample struct {
	text string
	size int
	seed byte
}

func (v sample) length() int { return max(v.size, len(v.text)) }

func (v sample) bytes() []byte {
	if v.size == 0 {
		return []byte(v.text)
	}
	return randomBytes(v.seed, v.size)
}

func randomBytes(seed byte, size int) []byte {
	value := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(value)
	return value
}

func (v sample) code() string {
	if v.size == 0 {
		return fmt.Sprintf("[]byte(%q)", v.text)
	}
	return fmt.Sprintf("random(%d, %d)", v.seed, v.size)
}

// generator makes sequences of steps.
type generator struct {
	*rand.Rand
	verbs      []string // each as often as its weight
	handles    int
	largest    int    // size of values
	tooLarge   int    // size of a value that the store refuses; 0 means that it refuses none
	longest    string // key; "" if there is no room for one
	integers   []string
	deltas     []int64
	brief      time.Duration   // a TTL that is worth waiting for
	resolution time.Duration   // how long after its TTL an entry may be read
	waits      []time.Duration // what steps may wait
	budget     time.Duration   // of all waits
	oneTTL     bool            // the store ignores the TTL of a step
	scans      bool            // the store lists its entries
	alone      bool            // it has no entries of others, which a scan would visit too
	limits     Limits
}

// verbWeights are in the order in which they are drawn.
var verbWeights = []struct {
	verb   string
	weight int
}{
	{"Set", 5}, {"Add", 4}, {"SetMany", 3}, {"Inc", 5}, {"Get", 3}, {"GetMany", 2}, {"Has", 2}, {"TTL", 2},
	{"Delete", 2}, {"DeleteMany", 2}, {"pass", 4}, {"Clear", 1}, {"ClearPrefix", 1}, {"Reopen", 1},
	{"Lease", 4}, {"Fill", 2}, {"Release", 1}, {"CompareAndSwap", 2}, {"GetAppend", 1}, {"GetWithTTL", 1}, {"GetManyWithTTL", 1}, {"Scan", 1},
}

func (t *attempt) newGenerator(handles int) *generator {
	g := &generator{
		Rand: t.rand, handles: handles, limits: t.harness.Limits, brief: t.shortTTL(), resolution: t.resolution(), budget: 60 * day,
		largest:  1 << 20,
		integers: []string{"0", "1", "7", "9", "99", "100", "9223372036854775807", "9223372036854775806"},
		deltas:   []int64{0, 1, 1, 5, 900, math.MaxInt64, -1, -1, -10, math.MinInt64},
	}
	limits := t.harness.Limits
	if limit := limits.maxValue(); limit != 0 {
		if g.largest = min(2*g.largest, limit); g.largest == limits.MaxValue {
			g.tooLarge = limits.MaxValue + 1
		}
	}
	if limits.CounterMin == nil {
		g.integers = append(g.integers, "-1", "-100", "-9223372036854775808")
	}
	const runPrefix = len("000000.")
	room := 300
	if limits.MaxKey != 0 {
		room = min(room, limits.MaxKey)
	}
	if room -= len(t.storedKey("")) + runPrefix; room > 10 {
		g.longest = strings.Repeat("k", room)
	}
	g.waits = []time.Duration{20 * time.Millisecond, g.brief + t.resolution(), g.brief / 2, time.Hour + t.resolution(), 25 * time.Hour, 31 * day}
	if !t.timeIsFree() {
		g.waits, g.budget = g.waits[:2], 0
		if g.waits[1] < 100*time.Millisecond {
			g.budget = time.Duration(t.fewer(2500)) * time.Millisecond
		}
	}
	g.scans, g.alone = t.canCall("Scan"), t.harness.Isolated
	if g.oneTTL = t.harness.declares(OneTTL); g.oneTTL {
		g.waits, g.budget = g.waits[:1], 0
	}
	for _, v := range verbWeights {
		if t.canCall(v.verb) {
			g.verbs = append(g.verbs, slices.Repeat([]string{v.verb}, v.weight)...)
		}
	}
	return g
}

// timeIsFree reports whether waiting for the store takes no time.
func (t *attempt) timeIsFree() bool { return t.harness.Bubble || t.harness.Advance != nil }

// canCall reports whether the backend supports the step verb in this mode.
func (t *attempt) canCall(verb string) bool {
	switch verb {
	case "Inc":
		return t.supports(Counter)
	case "TTL":
		return t.supports(TTL) && !t.harness.declares(OneTTL)
	case "GetWithTTL", "GetManyWithTTL":
		return t.supports(GetWithTTL) && !t.harness.declares(OneTTL)
	case "Scan":
		return t.supports(Scan) && !t.harness.declares(OneTTL)
	case "Lease", "Fill", "Release":
		return t.supports(Lease)
	case "CompareAndSwap":
		return t.supports(Swap)
	case "Clear":
		_, unavailable := t.clearUnavailable()
		return !unavailable
	case "ClearPrefix":
		return t.supports(PrefixClear)
	case "Reopen":
		return t.canReopen()
	}
	return true
}

// sequence returns random steps on a few keys, followed by every observer of each key,
// twice with a pause between them, and by what removes them.
func (g *generator) sequence() []step {
	pool := []string{"a", "ab", "a-", "a-1", "a_", "aa", "b", "b-1", "B"}
	if g.longest != "" {
		pool = append(pool, g.longest)
	}
	pool = slices.DeleteFunc(pool, func(key string) bool { return !g.limits.spells(key) })
	g.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	pool = pool[:1+g.IntN(5)]
	var steps []step
	for range 3 + g.IntN(25) {
		switch s := g.step(pool); s.verb {
		case "":
		case "Lease":
			steps = append(steps, g.load(s, pool)...)
		default:
			steps = append(steps, s)
		}
	}
	steps = append(steps, g.observers(pool)...)
	if g.spend(20 * time.Millisecond) {
		steps = append(append(steps, step{verb: "pass", wait: 20 * time.Millisecond}), g.observers(pool)...)
	}
	half := g.IntN(len(pool) + 1)
	for _, key := range pool[:half] {
		steps = append(steps, step{verb: "Delete", by: g.IntN(g.handles), keys: []string{key}})
	}
	if half < len(pool) {
		steps = append(steps, step{verb: "DeleteMany", by: g.IntN(g.handles), keys: pool[half:]})
	}
	return append(steps, step{verb: "GetMany", by: g.IntN(g.handles), keys: pool})
}

// load returns lease and what follows in the life of a lease: often a write of its key,
// and then Fill. The key is often absent before, or has expired.
func (g *generator) load(lease step, pool []string) (steps []step) {
	key := lease.keys[0]
	switch wait := g.brief + g.resolution; g.IntN(4) {
	case 0:
		steps = append(steps, step{verb: "Delete", by: g.IntN(g.handles), keys: []string{key}})
	case 1:
		if g.spend(wait) {
			steps = append(steps, step{verb: "Set", keys: []string{key}, value: g.sample(), ttl: g.brief}, step{verb: "pass", wait: wait})
		}
	}
	steps = append(steps, lease)
	for range g.IntN(3) {
		for range 5 {
			if s := g.step(pool); s.verb == "pass" || slices.Contains(s.keys, key) {
				steps = append(steps, s)
				break
			}
		}
	}
	if g.IntN(4) > 0 {
		steps = append(steps, step{verb: "Fill", by: g.IntN(g.handles), keys: []string{key}, value: g.sample(), ttl: g.ttl()})
	}
	return steps
}

// spend takes d from the budget of waits.
func (g *generator) spend(d time.Duration) bool {
	if d > g.budget {
		return false
	}
	g.budget -= d
	return true
}

func (g *generator) step(pool []string) step {
	s := step{verb: g.verbs[g.IntN(len(g.verbs))], by: g.IntN(g.handles)}
	key := pool[g.IntN(len(pool))]
	switch s.verb {
	case "Reopen":
	case "pass":
		if s.wait = g.waits[min(g.IntN(len(g.waits)), g.IntN(len(g.waits)))]; !g.spend(s.wait) {
			return step{}
		}
	case "Clear":
	case "ClearPrefix", "Scan":
		s.keys = []string{key[:1+g.IntN(min(len(key), 3))]}
	case "GetMany", "GetManyWithTTL", "DeleteMany", "SetMany":
		s.keys = slices.Clone(pool)
		g.Shuffle(len(s.keys), func(i, j int) { s.keys[i], s.keys[j] = s.keys[j], s.keys[i] })
		s.keys = s.keys[:1+g.IntN(len(s.keys))]
		if strings.HasPrefix(s.verb, "GetMany") && g.IntN(4) == 0 {
			s.keys = append(s.keys, s.keys[0])
		}
	default:
		s.keys = []string{key}
	}
	switch s.verb {
	case "Inc":
		s.delta, s.ttl = g.deltas[g.IntN(len(g.deltas))], g.ttl()
	case "Lease":
		s.wait = []time.Duration{g.brief, driver.MaxHold, driver.MaxHold}[g.IntN(3)]
	case "CompareAndSwap":
		s.match, s.old = g.IntN(3) > 0, g.sample()
		fallthrough
	case "Set", "Add", "SetMany", "Fill":
		s.value, s.ttl = g.sample(), g.ttl()
		if s.verb == "Set" && g.tooLarge != 0 && g.IntN(50) == 0 {
			s.value = sample{size: g.tooLarge}
		}
	}
	return s
}

// observers returns the calls that do not change pool, in random order.
func (g *generator) observers(pool []string) (steps []step) {
	sometimes := []string{"GetAppend", "GetWithTTL", "GetManyWithTTL"}
	if g.scans && (g.alone || g.IntN(8) == 0) {
		steps = append(steps, step{verb: "Scan", by: g.IntN(g.handles), keys: []string{""}})
	}
	for _, verb := range append([]string{"Get", "Has", "TTL"}, sometimes[g.IntN(3)]) {
		if !slices.Contains(g.verbs, verb) {
			continue
		}
		for _, key := range pool {
			steps = append(steps, step{verb: verb, by: g.IntN(g.handles), keys: []string{key}})
		}
	}
	steps = append(steps, step{verb: "GetMany", by: g.IntN(g.handles), keys: pool})
	g.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	return steps
}

func (g *generator) ttl() time.Duration {
	if g.oneTTL {
		return 0
	}
	const most32 = math.MaxInt32 // wraps milliseconds after 24 days and seconds after 68 years
	switch n := g.IntN(20); {
	case n < 5:
		return 0
	case n < 11 && g.budget > 0:
		return g.brief + time.Duration(g.IntN(3))*time.Millisecond
	case n < 13:
		return time.Hour
	case n < 15:
		return time.Minute + time.Duration(g.IntN(24*3600*1000))*time.Millisecond
	case n < 18:
		return []time.Duration{
			day, 2 * day, most32 * time.Millisecond, (most32 + 1) * time.Millisecond, 30 * day, 30*day + time.Second,
			2 * most32 * time.Millisecond, 2 * (most32 + 1) * time.Millisecond, 60 * day, time.Duration(1+g.IntN(360)) * day,
		}[g.IntN(10)]
	}
	return []time.Duration{year, 9 * year, 12 * year, most32 * time.Second, (most32 + 1) * time.Second, 80 * year}[g.IntN(6)]
}

func (g *generator) sample() sample {
	switch n := g.IntN(10); {
	case n < 4:
		return sample{text: g.integers[g.IntN(len(g.integers))]}
	case n < 5:
		likeIntegers := []string{"", " 5", "5 ", "+5", "007", "-0", "1_0", "1e3", "0x10", "null", "\x00"}
		return sample{text: likeIntegers[g.IntN(len(likeIntegers))]}
	}
	exponents := 1
	for 1<<exponents <= g.largest {
		exponents++
	}
	exponent := min(g.IntN(exponents), g.IntN(exponents)) // large values take time
	size := 1<<exponent - 1 + g.IntN(3)
	if g.IntN(100) == 0 {
		size = g.largest - g.IntN(2)
	}
	return sample{size: max(1, min(size, g.largest)), seed: byte(g.Uint32())}
}
