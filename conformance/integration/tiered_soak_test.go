package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
	"github.com/cachebackends/cachebackends/tiered"
)

const (
	soakGrace = 2 * time.Second
	// soakSlack is what reads and the processors of a busy machine may add.
	soakSlack = 500 * time.Millisecond
	// At the beginning of each minute, the primary is replaced. Until the old one is a
	// replica, both answer, and what only it had is lost: nothing is compared.
	soakFailover = 15 * time.Second

	soakProcess   = "CACHE_TEST_SOAK_PROCESS"
	soakProcesses = 3
	soakKeys      = 20 // of each process
)

// soakPlan is what a process of the soak is told.
type soakPlan struct {
	Sentinels []string
	Process   int
	Duration  time.Duration
}

// soakResult is what it has seen. Longest is for how long after its replacement a value was
// read near.
type soakResult struct {
	Reads, Compared, Behind int
	NearHits                int64
	Longest                 time.Duration
	Stale                   []string
}

// Three processes read and write for as long as CONFORMANCE_SOAK says, while links are cut
// every two seconds and the primary is replaced every minute. No value is older than Grace
// allows.
func TestTieredSoak(t *testing.T) {
	wanted := os.Getenv("CONFORMANCE_SOAK")
	if wanted == "" {
		t.Skip("only on request: CONFORMANCE_SOAK=10m")
	}
	duration, err := time.ParseDuration(wanted)
	if err != nil {
		t.Fatal("CONFORMANCE_SOAK is not a duration, such as 10m: ", err)
	}
	timed(t)
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	begin := time.Now()
	var processes [soakProcesses]*process
	for i := range processes {
		plan, err := json.Marshal(soakPlan{sentinel.Addrs, i, duration})
		if err != nil {
			t.Fatal(err)
		}
		processes[i] = startTest(t, "TestTieredSoakProcess", soakProcess+"="+string(plan))
	}
	cuts, failovers, replaced := 0, 0, time.Now().Minute()
	for time.Since(begin) < duration {
		time.Sleep(2 * time.Second)
		for i := range 3 {
			if _, err := sentinel.Cli(t.Context(), i, "client kill type "+[]string{"normal", "pubsub"}[rand.IntN(2)]); err == nil {
				cuts++
			}
		}
		if minute := time.Now().Minute(); minute != replaced {
			replaced = minute
			if err := sentinel.FailOver(t.Context()); err != nil {
				t.Log(err)
			} else {
				failovers++
			}
		}
	}
	for i, p := range processes {
		var result soakResult
		if err := p.reply(&result); err != nil {
			t.Fatal(err)
		}
		t.Logf("process %d: %d reads, %d of them near, %d compared, %d behind for up to %v", i, result.Reads, result.NearHits, result.Compared, result.Behind, result.Longest)
		for _, stale := range result.Stale {
			t.Error(stale)
		}
		if result.NearHits == 0 || result.Compared == 0 {
			t.Errorf("process %d has compared nothing", i)
		}
	}
	t.Logf("%d times clients were cut off, %d failovers", cuts, failovers)
	if cuts == 0 || duration > 2*time.Minute && failovers == 0 {
		t.Error("nothing has happened")
	}
}

// countedReads counts the reads that near had no entry for.
type countedReads struct {
	*redis.Backend
	reads atomic.Int64
}

func (b *countedReads) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	b.reads.Add(1)
	return b.Backend.GetWithTTL(ctx, key)
}

func TestTieredSoakProcess(t *testing.T) {
	described := os.Getenv(soakProcess)
	if described == "" {
		t.Skip("only for the processes of another test")
	}
	var plan soakPlan
	if err := json.Unmarshal([]byte(described), &plan); err != nil {
		t.Fatal(err)
	}
	open := func() *redis.Backend {
		b, err := redis.New(t.Context(), redis.Options{Sentinels: plan.Sentinels, Password: cache.Secret("hunter2"), SentinelPassword: cache.Secret("sesame")})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	near, err := simple.New(t.Context(), simple.Options{})
	if err != nil {
		t.Fatal(err)
	}
	behind := &countedReads{Backend: open()}
	both, err := tiered.New(near, behind, tiered.Options{Grace: soakGrace, OnLost: func(error) {}})
	opened(t, both, err)
	far := open()
	opened(t, far, nil)

	ctx, cancel := context.WithTimeout(t.Context(), plan.Duration)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	writer.Go(func() {
		for ctx.Err() == nil {
			key := fmt.Sprint("soak:", plan.Process, ":", rand.IntN(soakKeys))
			both.Set(ctx, key, fmt.Append(nil, time.Now().UnixNano()), time.Hour) // an error is expected
			time.Sleep(10 * time.Millisecond)
		}
	})
	var result soakResult
	// read returns what is stored, "" for a miss or an error.
	read := func(get func(context.Context, string) ([]byte, bool, error), key string) string {
		value, _, err := get(ctx, key)
		if err != nil {
			return ""
		}
		return string(value)
	}
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprint("soak:", rand.IntN(soakProcesses), ":", rand.IntN(soakKeys))
		if n%20 != 0 {
			result.Reads++
			read(both.Get, key)
			time.Sleep(100 * time.Microsecond)
			continue
		}
		if time.Now().Second() < int(soakFailover.Seconds()) {
			continue
		}
		begin := time.Now()
		result.Reads++
		before, got, after := read(far.Get, key), read(both.Get, key), read(far.Get, key)
		if before == "" || got == "" || before != after {
			continue
		}
		result.Compared++
		if got == before {
			continue
		}
		written, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		result.Behind++
		age := begin.Sub(time.Unix(0, written))
		result.Longest = max(result.Longest, age)
		if age > soakGrace+soakSlack {
			result.Stale = append(result.Stale, fmt.Sprintf("%s: %s was read %v after %s had replaced it, and Grace is %v", key, got, age, before, soakGrace))
		}
	}
	result.NearHits = int64(result.Reads) - behind.reads.Load()
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(text))
}
