package metrics

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	cache "github.com/cachebackends/cachebackends/core"
	cacheprom "github.com/cachebackends/cachebackends/observe/prometheus"
)

// interval is that of scrapes; the dashboard's rates are over rateInterval.
const (
	interval     = "500ms"
	rateInterval = "5s"
)

// A Prometheus that scrapes a program has data for each query of each panel.
func TestDashboard(t *testing.T) {
	binary, err := prometheusCommand()
	if err != nil {
		if os.Getenv("CONFORMANCE_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	server := scrape(t, binary, serveTraffic(t))
	panels := readDashboard(t)
	deadline := time.Now().Add(2 * time.Minute)
	for _, panel := range panels {
		for _, target := range panel.Targets {
			for {
				found, err := server.query(target.Expr)
				if err != nil {
					t.Fatalf("%s: %s: %v", panel.Title, target.Expr, err)
				}
				if found > 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Errorf("%s: no data for %s", panel.Title, target.Expr)
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
	if *update && !t.Failed() {
		draw(t, server, panels)
	}
}

// prometheusCommand returns the command that begins a Prometheus, of this machine or of the
// servers' image.
func prometheusCommand() ([]string, error) {
	if binary, err := exec.LookPath("prometheus"); err == nil {
		return []string{binary}, nil
	}
	run, err := filepath.Abs("../../conformance/integration/servers/run.sh")
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("sh", run, "prometheus", "--version").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("needs prometheus in PATH, or Docker with the image that make servers builds: %w %s", err, out)
	}
	return []string{"sh", run, "prometheus"}, nil
}

// serveTraffic starts a program with traffic and returns the address of its metrics.
func serveTraffic(t *testing.T) (address string) {
	t.Helper()
	reg := prometheus.NewRegistry()
	p := newProgram(t, cache.WithObserver(cacheprom.Observer(reg)))
	reg.MustRegister(cacheprom.Collector(p.memory), cacheprom.Collector(p.guarded))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				p.round(t.Context())
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	web := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	t.Cleanup(web.Close)
	return strings.TrimPrefix(web.URL, "http://")
}

// prometheusServer is a running Prometheus.
type prometheusServer struct{ url string }

var listening = regexp.MustCompile(`[Ll]isten.*address=\S*?:([1-9]\d*)\b`)

// scrape starts a Prometheus that scrapes address.
func scrape(t *testing.T, binary []string, address string) *prometheusServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: %s, scrape_timeout: %s}\nscrape_configs:\n- job_name: program\n  static_configs: [{targets: ['%s']}]\n", interval, interval, address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(binary[1:], "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	command := exec.Command(binary[0], args...)
	command.Dir = dir // which a container shares
	output, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ports, log := make(chan string, 1), make(chan string, 1)
	go func() {
		var lines strings.Builder
		scanner := bufio.NewScanner(output)
		for scanner.Scan() {
			lines.WriteString(scanner.Text() + "\n")
			if found := listening.FindStringSubmatch(scanner.Text()); found != nil && len(ports) == 0 {
				select {
				case ports <- found[1]:
				default:
				}
			}
		}
		log <- lines.String()
		close(ports)
	}()
	t.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM) // which docker passes on
		command.Wait()
	})
	select {
	case port, ok := <-ports:
		if !ok {
			t.Fatalf("prometheus did not listen:\n%s", <-log)
		}
		return &prometheusServer{"http://127.0.0.1:" + port}
	case <-time.After(time.Minute):
		t.Fatal("prometheus did not listen within a minute")
		return nil
	}
}

// sample is one point of a series.
type sample struct {
	at    float64
	value float64
}

// series is a result of a query.
type series struct {
	labels  map[string]string
	samples []sample
}

func fill(expression string) string {
	return strings.NewReplacer("$__rate_interval", rateInterval, "$backend", ".*").Replace(expression)
}

// query returns the number of series with a number that a query finds now. A server that
// is starting has none.
func (p *prometheusServer) query(expression string) (int, error) {
	found, err := p.get("/api/v1/query", url.Values{"query": {fill(expression)}})
	return len(found), err
}

func (p *prometheusServer) get(path string, parameters url.Values) ([]series, error) {
	response, err := http.Get(p.url + path + "?" + parameters.Encode())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusServiceUnavailable {
		return nil, nil
	}
	var reply struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
		return nil, err
	}
	if reply.Status != "success" {
		return nil, fmt.Errorf("%s", reply.Error)
	}
	var all []series
	for _, r := range reply.Data.Result {
		if r.Value != nil {
			r.Values = append(r.Values, r.Value)
		}
		s := series{labels: r.Metric}
		for _, v := range r.Values {
			number, err := strconv.ParseFloat(v[1].(string), 64)
			if err == nil && number == number { // not NaN
				s.samples = append(s.samples, sample{v[0].(float64), number})
			}
		}
		if len(s.samples) > 0 {
			all = append(all, s)
		}
	}
	return all, nil
}
