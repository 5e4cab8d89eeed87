package coherence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Units of what is measured besides times.
const (
	DelayP99  = "sec/p99"         // from the beginning of Set in one process until another reads the value
	Writes    = "writes/reached"  // per second, of the other writers
	Commands  = "commands/change" // that the server executes for a write and a read of what it has changed
	Sent      = "B/sent"          // by the server, for the same
	Received  = "B/received"
	Staleness = "sec/longest" // after the link of the notices was cut
)

// load is what others write with the same prefix, beside the process that is observed.
type load struct {
	name  string
	pause time.Duration // between two observed writes
	rate  int           // of the other writes, per second; fastest for as many as possible
	ops   int
}

const fastest = 100_000

// Delays are the times from a write in one process until another one sees it.
func Delays(name string) (all []measure.Series) {
	for _, l := range []load{
		{"1", time.Second, 0, 20},
		{"10k", 10 * time.Millisecond, 10_000, 500},
		{"100k", 10 * time.Millisecond, fastest, 500},
	} {
		all = append(all, delays(name+"/writes="+l.name, l, false))
	}
	return all
}

// Traffic is what the server does for such a write.
func Traffic(name string) measure.Series { return delays(name+"/change", load{ops: 2000}, true) }

func delays(name string, l load, traffic bool) measure.Series {
	s, addr := series(name)
	s.Ops, s.MaxRounds = l.ops, 1
	for _, w := range []way{byTracking, byPublication, rueidisTracking, rueidisBroadcast} {
		s.Lanes = append(s.Lanes, w.lane(func() (func(*testing.B), func(), error) {
			return func(b *testing.B) {
				values, err := w.delays(*addr, l, b.N, traffic)
				if err != nil {
					measure.Fail(b, err)
				}
				for unit, value := range values {
					b.ReportMetric(value, unit)
				}
			}, func() {}, nil
		}))
	}
	return s
}

// delays returns the quantiles of the delays of n writes.
func (w way) delays(addr string, l load, n int, traffic bool) (map[string]float64, error) {
	var processes [2]client
	for i := range processes {
		c, err := w.open(addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		processes[i] = c
	}
	admin := goredis.NewClient(&goredis.Options{Addr: addr})
	defer admin.Close()
	others := startWriters(addr, l.rate)
	defer others.stop()
	before, err := usageOf(admin)
	if err != nil {
		return nil, err
	}
	key := workload.Keys(rand.Int(), 1)[0]
	times := make([]time.Duration, n)
	for i := range times {
		time.Sleep(l.pause)
		value := fmt.Sprintf("%0*d", workload.ValueSize, i)
		begin := time.Now()
		if err := processes[0].set(key, value); err != nil {
			return nil, err
		}
		if err := processes[1].await(key, value); err != nil {
			return nil, err
		}
		times[i] = time.Since(begin)
	}
	values := quantiles(times)
	if l.rate > 0 {
		values[Writes], err = others.stop()
	}
	if traffic {
		after, usageErr := usageOf(admin)
		err = errors.Join(err, usageErr)
		for unit := range after {
			values[unit] = (after[unit] - before[unit]) / float64(n)
		}
	}
	return values, err
}

// usageOf returns what the server has done since it was started.
func usageOf(admin *goredis.Client) (map[string]float64, error) {
	text, err := admin.Info(ctx, "all").Result()
	usage := map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		units := map[string]string{"total_net_output_bytes": Sent, "total_net_input_bytes": Received, "total_commands_processed": Commands}
		if unit := units[name]; unit != "" {
			usage[unit], _ = strconv.ParseFloat(value, 64)
		}
	}
	return usage, err
}

// writers store other keys with the same prefix, in pipelines, until they are stopped.
type writers struct {
	end     chan struct{}
	running sync.WaitGroup
	stop    func() (perSecond float64, err error)
}

const writersPerRate = 2

func startWriters(addr string, rate int) *writers {
	w := &writers{end: make(chan struct{})}
	begin := time.Now()
	var counts [writersPerRate]int
	var errs [writersPerRate]error
	for i := range counts {
		if rate > 0 {
			w.running.Go(func() { counts[i], errs[i] = w.write(addr, i, rate) })
		}
	}
	w.stop = sync.OnceValues(func() (float64, error) {
		close(w.end)
		w.running.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		return float64(total) / time.Since(begin).Seconds(), errors.Join(errs[:]...)
	})
	return w
}

func (w *writers) write(addr string, i, rate int) (count int, err error) {
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	defer client.Close()
	const batch = 50
	keys, value := workload.Keys(1_000_000*(i+1), 100*batch), make([]byte, workload.ValueSize)
	interval := time.Second * batch * writersPerRate / time.Duration(rate)
	for next := time.Now(); ; {
		if next = next.Add(interval); rate < fastest {
			time.Sleep(time.Until(next))
		}
		select {
		case <-w.end:
			return count, nil
		default:
		}
		pipe := client.Pipeline()
		for range batch {
			pipe.Set(ctx, keys[count%len(keys)], value, workload.Life)
			count++
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return count, err
		}
	}
}
