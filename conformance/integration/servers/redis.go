package servers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Redis is a topology of redis servers.
type Redis struct {
	Machine
	Addrs  []string // of the servers; of the sentinels where there are some
	ports  []int    // of the data servers
	auth   string   // options of redis-cli
	brand  string   // "redis" or "valkey": its programs are NAME-server and NAME-cli
	hasten []string // commands that shorten deadAfter
	ask    string   // begins a command to a sentinel
}

var redisNeeds = needs("redis")

func needs(brand string) []string { return []string{brand + "-server", brand + "-cli"} }

// quiet are options of every data server: memory only, no snapshot.
const quiet = ` --bind $BIND --protected-mode no --save "" --appendonly no`

// StartRedis starts one server with further options, such as "--requirepass x".
// When it dies it is started again, with the data that it has saved.
func StartRedis(t *testing.T, options string) *Redis {
	t.Helper()
	return startOne(t, "redis", options)
}

// StartValkey is StartRedis with a Valkey.
func StartValkey(t *testing.T, options string) *Redis {
	t.Helper()
	return startOne(t, "valkey", options)
}

func startOne(t *testing.T, brand, options string) *Redis {
	t.Helper()
	ports := FreePorts(t, 1)
	r := &Redis{ports: ports, Addrs: addrs(ports), brand: brand}
	r.Machine = Start(t, Spec{
		Needs: needs(brand), Ports: ports,
		Script: fmt.Sprintf("while :; do %[4]s-server --port %[1]d --pidfile $PWD/%[1]d.pid %[2]s %[3]s || sleep 0.1; done", ports[0], quiet, options, brand),
	})
	r.await(t, r.cli(ports[0], "ping")+" | grep -q PONG")
	return r
}

// StartRedisTLS starts one server that speaks TLS alone, with the files of a
// [Certificate], and knows one user beside the default one, which it locks out.
func StartRedisTLS(t *testing.T, certificate Certificate, user, password string) *Redis {
	t.Helper()
	ports := FreePorts(t, 1)
	r := &Redis{ports: ports, Addrs: addrs(ports), brand: "redis", auth: fmt.Sprintf("--tls --cacert ca.pem --user %s -a %s", user, password)}
	r.Machine = Start(t, Spec{
		Needs: redisNeeds, Ports: ports,
		Files: map[string]string{"ca.pem": certificate.CA, "cert.pem": certificate.Cert, "key.pem": certificate.Key},
		Script: fmt.Sprintf("exec redis-server --port 0 --tls-port %d %s --tls-auth-clients no --tls-ca-cert-file ca.pem"+
			" --tls-cert-file cert.pem --tls-key-file key.pem --user default off --user %s on '>%s' '~*' '&*' +@all",
			ports[0], quiet, user, password),
	})
	r.await(t, r.cli(ports[0], "ping")+" | grep -q PONG")
	return r
}

// deadAfter is how many milliseconds a server may be silent until the others take it for
// dead. A busy machine does not reach it: a failover follows only HastenFailover.
const deadAfter = 30_000

// StartRedisCluster starts three primaries, each with so many replicas. Slots without a
// node leave the others at work.
func StartRedisCluster(t *testing.T, replicas int) *Redis {
	t.Helper()
	ports := FreePorts(t, 3*(1+replicas))
	r := &Redis{ports: ports, Addrs: addrs(ports), brand: "redis"}
	var script strings.Builder
	for _, port := range ports {
		fmt.Fprintf(&script, "redis-server --port %[1]d %[2]s --pidfile $PWD/%[1]d.pid --cluster-enabled yes --cluster-config-file nodes-%[1]d.conf"+
			" --cluster-node-timeout %[3]d --cluster-require-full-coverage no --cluster-announce-ip 127.0.0.1 --repl-diskless-sync-delay 0 &\n", port, quiet, deadAfter)
	}
	r.Machine = Start(t, Spec{Needs: redisNeeds, Ports: ports, Script: script.String() + "wait"})
	var ready []string
	for _, port := range ports {
		ready = append(ready, r.cli(port, "ping")+" | grep -q PONG")
		r.hasten = append(r.hasten, r.cli(port, "config set cluster-node-timeout 1000"))
	}
	ready = append(ready, fmt.Sprintf("redis-cli --cluster create %s --cluster-replicas %d --cluster-yes", strings.Join(r.Addrs, " "), replicas))
	for _, port := range ports {
		ready = append(ready, r.cli(port, "cluster info")+" | grep -q cluster_state:ok",
			r.cli(port, "info replication")+" | grep -qE 'master_link_status:up|role:master'")
	}
	r.await(t, ready...)
	return r
}

// StartRedisSentinel starts a primary with two replicas and three sentinels. Both kinds
// have a password.
func StartRedisSentinel(t *testing.T, password, sentinelPassword string) *Redis {
	t.Helper()
	all := FreePorts(t, 6)
	ports, sentinels := all[:3], all[3:]
	r := &Redis{ports: ports, Addrs: addrs(sentinels), brand: "redis", auth: "-a " + password}
	ask := func(port int) string {
		return fmt.Sprintf("redis-cli -p %d -a %s --no-auth-warning sentinel ", port, sentinelPassword)
	}
	var script strings.Builder
	for i, port := range ports {
		replica := ""
		if i > 0 {
			replica = fmt.Sprintf("--replicaof 127.0.0.1 %d", ports[0])
		}
		fmt.Fprintf(&script, "redis-server --port %[1]d %[2]s --pidfile $PWD/%[1]d.pid --requirepass %[3]s --masterauth %[3]s"+
			" --replica-announce-ip 127.0.0.1 --repl-diskless-sync-delay 0 %[4]s &\n", port, quiet, password, replica)
	}
	files := map[string]string{}
	for _, port := range sentinels {
		name := fmt.Sprintf("sentinel-%d.conf", port)
		files[name] = fmt.Sprintf("port %d\nprotected-mode no\nrequirepass %[2]s\nsentinel sentinel-pass %[2]s\n"+
			"sentinel announce-ip 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 %[3]d 2\nsentinel auth-pass mymaster %[4]s\n"+
			"sentinel down-after-milliseconds mymaster %[5]d\nsentinel failover-timeout mymaster 3000\n",
			port, sentinelPassword, ports[0], password, deadAfter)
		fmt.Fprintf(&script, "redis-server %s --sentinel --bind $BIND &\n", name)
	}
	r.ask = ask(sentinels[0])
	r.Machine = Start(t, Spec{Needs: redisNeeds, Ports: all, Files: files, Script: script.String() + "wait"})
	var ready []string
	for _, port := range sentinels {
		ready = append(ready, ask(port)+"ckquorum mymaster | grep -q '^OK 3'",
			ask(port)+"master mymaster | grep -A1 num-slaves | grep -qx 2",
			ask(port)+"master mymaster | grep -A1 num-other-sentinels | grep -qx 2")
		r.hasten = append(r.hasten, ask(port)+"set mymaster down-after-milliseconds 1000")
	}
	r.await(t, ready...)
	return r
}

// Version is that of the servers.
func (r *Redis) Version(t *testing.T) string {
	t.Helper()
	return version(t, r.Machine, r.brand+"-server")
}

// Cli runs a command of redis-cli on the i-th data server.
func (r *Redis) Cli(ctx context.Context, i int, command string) (string, error) {
	out, err := r.Exec(ctx, r.cli(r.ports[i], command))
	return strings.TrimSpace(out), err
}

func (r *Redis) cli(port int, command string) string {
	return fmt.Sprintf("%s-cli -p %d %s --no-auth-warning %s", r.brand, port, r.auth, command)
}

// Restart kills the server, as a crash would, and waits until another has come up:
// not until it is ready.
func (r *Redis) Restart(t *testing.T) {
	t.Helper()
	before, err := r.Cli(t.Context(), 0, "info server | grep run_id")
	if err != nil {
		t.Fatal(err)
	}
	r.Kill(t, 0)
	r.await(t, fmt.Sprintf("%s && ! %[1]s | grep -q %s", r.cli(r.ports[0], "info server"), before))
}

// Pause makes the i-th data server neither answer nor end, until Resume.
func (r *Redis) Pause(t *testing.T, i int) {
	t.Helper()
	if _, err := r.Exec(t.Context(), fmt.Sprintf("p=$(cat %d.pid)\n"+freeze, r.ports[i])); err != nil {
		t.Fatal(err)
	}
}

// Resume makes the i-th data server answer again.
func (r *Redis) Resume(t *testing.T, i int) { r.signal(t, i, "CONT") }

func (r *Redis) signal(t *testing.T, i int, name string) {
	t.Helper()
	if _, err := r.Exec(t.Context(), fmt.Sprintf("kill -%s $(cat %d.pid)", name, r.ports[i])); err != nil {
		t.Fatal(err)
	}
}

// Reshard moves slots from the first primary of a cluster to the second.
func (r *Redis) Reshard(t *testing.T, slots int) {
	t.Helper()
	nodes, err := r.Exec(t.Context(), r.cli(r.ports[0], "cluster nodes")+" | awk '/master/ && NF > 8 {print $1}'") // with slots: a replica may still pass for a primary
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.Fields(nodes)
	r.await(t, "redis-cli --cluster check "+r.Addrs[0]) // that all servers know the same
	out, err := r.Exec(t.Context(), fmt.Sprintf("redis-cli --cluster reshard %s --cluster-from %s --cluster-to %s --cluster-slots %d --cluster-yes >out 2>&1 || { tail -5 out; exit 1; }",
		r.Addrs[0], ids[0], ids[1], slots))
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// Kill kills the i-th data server, as a crash would.
func (r *Redis) Kill(t *testing.T, i int) { r.signal(t, i, "9") }

// HastenFailover makes servers take each other for dead after a second of silence.
func (r *Redis) HastenFailover(t *testing.T) {
	t.Helper()
	if out, err := r.Exec(t.Context(), strings.Join(r.hasten, " && ")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// KillPrimary kills the first data server that is a primary, as a crash would, after
// HastenFailover.
func (r *Redis) KillPrimary(t *testing.T) {
	t.Helper()
	r.HastenFailover(t)
	for i := range r.ports {
		role, err := r.Cli(t.Context(), i, "role")
		if err == nil && strings.HasPrefix(role, "master") {
			r.Kill(t, i)
			return
		}
	}
	t.Fatal("no data server is a primary")
}

// FailOver makes the sentinels replace the primary, which becomes a replica. They refuse it
// as long as no replica has found the present one.
func (r *Redis) FailOver(ctx context.Context) error {
	out, err := r.Exec(ctx, r.ask+"failover mymaster")
	if err == nil && !strings.Contains(out, "OK") {
		err = errors.New(out)
	}
	return err
}

// AwaitPromotion waits until one of the replicas of the first data server, which was a
// primary and has been killed, is a primary.
func (r *Redis) AwaitPromotion(t *testing.T, primaries int) {
	t.Helper()
	var roles []string
	for _, port := range r.ports[1:] {
		roles = append(roles, r.cli(port, "role")+" | head -1")
	}
	r.await(t, fmt.Sprintf("[ $( (%s) 2>/dev/null | grep -c master) -eq %d ]", strings.Join(roles, "; "), primaries))
}

// startLimit is for a busy machine, on which sentinels wait for 30 s when they notice how
// late they are.
const startLimit = 3 * time.Minute

// await repeats each script until it succeeds. One process of the container runs all of
// them: to start one costs more than most scripts.
func (r *Redis) await(t *testing.T, scripts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	var all strings.Builder
	for _, script := range scripts {
		fmt.Fprintf(&all, "ok=; for i in $(seq 3600); do if (%[1]s) >out 2>&1; then ok=1; break; fi; sleep 0.05; done; "+
			"[ $ok ] || { cat out; echo %[2]s; exit 1; }\n", script, quoted(script))
	}
	if out, err := r.Exec(ctx, all.String()); err != nil {
		t.Fatalf("the servers do not become ready: %v: %s\nthey printed:\n%s", err, out, r.logs())
	}
}

// quoted returns text as one word of the shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func addrs(ports []int) []string {
	list := make([]string, len(ports))
	for i, port := range ports {
		list[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return list
}
