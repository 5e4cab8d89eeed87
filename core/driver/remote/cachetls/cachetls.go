// Package cachetls makes a TLS configuration from the settings of a backend, for
// authors of backends. It is separate from package remote, so that programs whose
// backends do not use TLS do not link crypto/tls.
package cachetls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Files are the settings of TLS. TLS is on if any of them is given. A backend
// declares them with a prefix:
//
//	TLSFiles cachetls.Files `prefix:"CACHE_SHOP_TLS_"`
type Files struct {
	CA         string `setting:"CA" help:"PEM file of the certificate authorities to trust, in place of the system's; any TLS setting turns TLS on"`
	Cert       string `setting:"CERT" help:"PEM file of the client certificate"`
	Key        string `setting:"KEY" help:"PEM file of the client certificate's key"`
	ServerName string `setting:"SERVER_NAME" help:"name expected in the server's certificate, in place of the host"`
}

// Config returns the configuration, or nil if no setting is given. It reads the files
// once. Mistakes are recorded in s, by the names of the settings, which begin with
// prefix. The minimum version is TLS 1.2.
func (f Files) Config(s *driver.Settings, prefix string) *tls.Config {
	if f == (Files{}) {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CA != "" {
		pool, err := readCA(f.CA)
		if err != nil {
			s.Fail(prefix+"CA", "%w", err)
		}
		config.RootCAs = pool
	}
	switch {
	case f.Cert == "" && f.Key == "":
	case f.Cert == "":
		s.Fail(prefix+"CERT", "missing, although %sKEY is set", prefix)
	case f.Key == "":
		s.Fail(prefix+"KEY", "missing, although %sCERT is set", prefix)
	default:
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			s.Fail(prefix+"CERT", "%w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

func readCA(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}

// IsRejected reports whether one side of a TLS connection rejected the other's
// certificate. Backends return [driver.ErrAuth] for it.
func IsRejected(err error) bool {
	var ours *tls.CertificateVerificationError
	var theirs *net.OpError
	return errors.As(err, &ours) || errors.As(err, &theirs) && theirs.Op == "remote error"
}
