package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// server is what a URL says.
type server struct {
	addr, username, password string
	db                       int
	tls                      bool
}

// configure sets everything but the address in o. TLS that is configured stays.
func (s server) configure(o *Options) {
	o.Username, o.Password, o.DB = s.username, driver.NewSecret(s.password), s.db
	if s.tls && o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
}

// parseURL neither uses the driver's parser nor returns the error of net/url: both
// repeat the URL, which may hold a password. No part of the URL is in its errors.
func parseURL(text string) (server, error) {
	if strings.Trim(text, " \t\"'") != text {
		return server{}, errors.New("begins or ends with a quote or a blank: remove it")
	}
	u, err := url.Parse(text)
	if err != nil {
		return server{}, errors.New("cannot be parsed (not shown, because it may hold a password); " +
			"special characters in user and password must be written as %XX")
	}
	s := server{username: u.User.Username(), tls: u.Scheme == "rediss"}
	s.password, _ = u.User.Password()
	query, err := url.ParseQuery(u.RawQuery)
	databases := query["db"]
	query.Del("db")
	if err != nil || len(query) > 0 {
		return server{}, errors.New("has a parameter other than db; options are separate settings")
	}
	if strings.Contains(text, "#") {
		return server{}, errors.New("holds a #, which must be written as %23")
	}
	switch {
	case u.Opaque == "" && (u.Scheme == "redis" || u.Scheme == "rediss"):
		s.addr = net.JoinHostPort(cmp.Or(u.Hostname(), defaultHost), cmp.Or(u.Port(), "6379"))
		if path := strings.Trim(u.Path, "/"); path != "" {
			databases = append(databases, path)
		}
	case u.Opaque == "" && u.Scheme == "unix":
		s.addr = u.Path
		if u.Host != "" || u.Path == "" {
			return server{}, errors.New("is not unix:///path/to.sock")
		}
	default:
		return server{}, errors.New("does not begin with redis://, rediss:// or unix://")
	}
	if remote.CheckAddr(s.addr, true) != nil {
		return server{}, errors.New("does not name a host and a port between 1 and 65535")
	}
	if len(databases) > 1 {
		return server{}, errors.New("names the database twice")
	}
	db, err := strconv.ParseUint(cmp.Or(append(databases, "0")...), 10, 31)
	if err != nil {
		return server{}, errors.New("the database is not a number")
	}
	s.db = int(db)
	return s, nil
}
