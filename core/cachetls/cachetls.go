// Package cachetls reads the TLS settings of a backend, for the authors of
// backends. It is apart from core, so that programs without TLS do not link it.
package cachetls

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
)

// Config returns what the settings that begin with prefix, such as
// "CACHE_REDIS_TLS", ask for; nil where none of them is given.
//
//	prefix_CA           file of the authorities to trust, PEM; default: those of the system
//	prefix_CERT         file of the client's certificate, PEM; needs prefix_KEY
//	prefix_KEY          file of the key of prefix_CERT, PEM
//	prefix_SERVER_NAME  name that the server's certificate must have; default: the host
//
// Files are read once, here. What is wrong with them is recorded in s, with the
// name of the setting. Versions of TLS before 1.2 are not spoken.
func Config(s *cache.Settings, prefix string) *tls.Config {
	ca, cert, key := s.String(prefix+"_CA", ""), s.String(prefix+"_CERT", ""), s.String(prefix+"_KEY", "")
	name := s.String(prefix+"_SERVER_NAME", "")
	if ca == "" && cert == "" && key == "" && name == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if ca != "" {
		pool, err := readCA(ca)
		if err != nil {
			s.Fail(prefix+"_CA", "%w", err)
		}
		config.RootCAs = pool
	}
	switch {
	case cert == "" && key == "":
	case cert == "":
		s.Fail(prefix+"_CERT", "missing, for %s_KEY is set", prefix)
	case key == "":
		s.Fail(prefix+"_KEY", "missing, for %s_CERT is set", prefix)
	default:
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			s.Fail(prefix+"_CERT", "%w", err)
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
