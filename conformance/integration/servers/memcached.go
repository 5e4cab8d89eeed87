package servers

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Memcached is one memcached, or several that know nothing of each other.
type Memcached struct {
	Machine
	Addrs []string
	ports []int
	tls   *tls.Config
	hello string // a request that is answered before anybody has logged in
}

const (
	textHello   = "version\r\n"
	binaryHello = "\x80\x0b" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

// StartMemcached starts n servers with further options, such as "-M -m 2".
func StartMemcached(t *testing.T, n int, options string) *Memcached {
	t.Helper()
	return startMemcached(t, n, Spec{Script: serve(options)}, textHello, nil)
}

// StartMemcachedText starts one server that wants user and password in its text
// protocol (-Y).
func StartMemcachedText(t *testing.T, user, password string) *Memcached {
	t.Helper()
	return startMemcached(t, 1, Spec{
		Files:  map[string]string{"users": user + ":" + password + "\n"},
		Script: serve("-Y users"),
	}, textHello, nil)
}

// StartMemcachedSASL starts one server that wants user and password by SASL, and
// speaks the binary protocol alone (-S). SASL_CONF_PATH is a directory.
func StartMemcachedSASL(t *testing.T, user, password, options string) *Memcached {
	t.Helper()
	return startMemcached(t, 1, Spec{
		Needs: []string{"saslpasswd2"},
		Script: fmt.Sprintf("printf 'mech_list: plain\\nsasldb_path: %%s/sasldb2\\n' $PWD >memcached.conf\n"+
			"printf %%s '%s' | saslpasswd2 -p -c -a memcached -f sasldb2 '%s'\nexport SASL_CONF_PATH=$PWD\n",
			password, user) + serve("-S "+options),
	}, binaryHello, nil)
}

// StartMemcachedTLS starts one server that speaks TLS alone.
func StartMemcachedTLS(t *testing.T, certificate Certificate) *Memcached {
	t.Helper()
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM([]byte(certificate.CA))
	return startMemcached(t, 1, Spec{
		Files:  map[string]string{"cert.pem": certificate.Cert, "key.pem": certificate.Key},
		Script: serve("-Z -o ssl_chain_cert=cert.pem,ssl_key=key.pem"),
	}, textHello, &tls.Config{RootCAs: authorities})
}

// serve is a function of the shell that keeps a server running on the port it is
// given, except while there is a file PORT.down.
func serve(options string) string {
	return `serve() {
	while :; do
		if [ -e $1.down ]; then
			sleep 0.02
			continue
		fi
		memcached -u root -l $BIND -p $1 ` + options + ` &
		echo $! >$1.pid
		wait $! || :
	done
}
`
}

func startMemcached(t *testing.T, n int, spec Spec, hello string, config *tls.Config) *Memcached {
	t.Helper()
	ports := FreePorts(t, n)
	for _, port := range ports {
		spec.Script += fmt.Sprintf("serve %d &\n", port)
	}
	spec.Script += "wait"
	spec.Needs, spec.Ports = append(spec.Needs, "memcached"), ports
	m := &Memcached{Machine: Start(t, spec), Addrs: addrs(ports), ports: ports, tls: config, hello: hello}
	for i := range ports {
		m.await(t, i)
	}
	return m
}

// Version is that of the servers.
func (m *Memcached) Version(t *testing.T) string {
	t.Helper()
	return version(t, m.Machine, "memcached")
}

// await returns when the i-th server answers.
func (m *Memcached) await(t *testing.T, i int) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var conn net.Conn
		if conn, err = m.dial(i); err != nil {
			continue
		}
		io.WriteString(conn, m.hello)
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
		if err == nil {
			return
		}
	}
	t.Fatalf("memcached at %s does not answer: %v\nit printed:\n%s", m.Addrs[i], err, m.logs())
}

func (m *Memcached) dial(i int) (net.Conn, error) {
	dialer := &net.Dialer{Deadline: time.Now().Add(5 * time.Second)}
	conn, err := dialer.Dial("tcp", m.Addrs[i])
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(dialer.Deadline)
	if m.tls != nil {
		config := m.tls.Clone()
		config.ServerName = "127.0.0.1"
		conn = tls.Client(conn, config)
	}
	return conn, nil
}

// Ask sends the i-th server a command of the text protocol, and returns the lines
// of its answer up to the first that begins with the word last.
func (m *Memcached) Ask(t *testing.T, i int, command, last string) []string {
	t.Helper()
	conn, err := m.dial(i)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, command+"\r\n")
	var lines []string
	for answer := bufio.NewScanner(conn); answer.Scan(); {
		lines = append(lines, answer.Text())
		if strings.HasPrefix(answer.Text(), last) {
			return lines
		}
	}
	t.Fatalf("memcached answers %q with %q, without %s", command, lines, last)
	return nil
}

// Keys lists what the i-th server stores. By its hash table: while keys move between
// the lists of what was used last, "metadump all" can miss one.
func (m *Memcached) Keys(t *testing.T, i int) []string {
	t.Helper()
	var keys []string
	for _, line := range m.Ask(t, i, "lru_crawler metadump hash", "END") {
		word, _, _ := strings.Cut(line, " ")
		if escaped, is := strings.CutPrefix(word, "key="); is {
			key, err := url.PathUnescape(escaped)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
	}
	return keys
}

// Kill ends the i-th server, as a crash would, until Revive.
func (m *Memcached) Kill(t *testing.T, i int) {
	t.Helper()
	m.exec(t, "touch %[1]d.down; kill -9 $(cat %[1]d.pid); while kill -0 $(cat %[1]d.pid) 2>/dev/null; do sleep 0.01; done", i)
}

// Revive starts the i-th server again, empty.
func (m *Memcached) Revive(t *testing.T, i int) {
	t.Helper()
	m.exec(t, "rm %d.down", i)
	m.await(t, i)
}

// Pause makes the i-th server neither answer nor end, until Resume.
func (m *Memcached) Pause(t *testing.T, i int) {
	t.Helper()
	m.exec(t, "p=$(cat %d.pid)\n"+freeze, i)
}

// Resume makes the i-th server answer again.
func (m *Memcached) Resume(t *testing.T, i int) {
	t.Helper()
	m.exec(t, "kill -CONT $(cat %d.pid)", i)
}

func (m *Memcached) exec(t *testing.T, script string, i int) {
	t.Helper()
	if _, err := m.Exec(t.Context(), fmt.Sprintf(script, m.ports[i])); err != nil {
		t.Fatal(err)
	}
}
