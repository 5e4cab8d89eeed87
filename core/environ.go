package cache

import (
	"maps"
	"regexp"
	"strings"
)

// Kubernetes and Docker set variables with the address of a Service or container
// called cache-...: https://kubernetes.io/docs/tutorials/services/connect-applications-service/
// Docker adds the variables of the linked container and the names of both.
var (
	serviceLink   = regexp.MustCompile(`_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	linkAddress   = regexp.MustCompile(`^(\w+?)_PORT(_\d+_(TCP|UDP|SCTP))?$`)
	containerName = regexp.MustCompile(`^/[^/]+/[^/]+$`)
)

// withoutServiceLinks removes such variables from environ. The variables that name
// containers, such as CACHE_DB_NAME, are removed only if the environment also has
// the address of the linked container.
func withoutServiceLinks(environ map[string]any) map[string]any {
	links := make(map[string]bool) // by the beginning of their names
	for key, value := range environ {
		match := linkAddress.FindStringSubmatch(key)
		if match != nil && strings.Contains(value.(string), "://") {
			links[match[1]] = true
		}
	}
	maps.DeleteFunc(environ, func(key string, value any) bool {
		return isServiceLink(key, value.(string)) || isContainerLink(key, value.(string), links)
	})
	return environ
}

func isServiceLink(key, value string) bool {
	return serviceLink.MatchString(key) || strings.HasSuffix(key, "_PORT") && strings.Contains(value, "://")
}

func isContainerLink(key, value string, links map[string]bool) bool {
	for link := range links {
		if strings.HasPrefix(key, link+"_ENV_") || key == link+"_NAME" && containerName.MatchString(value) {
			return true
		}
	}
	return false
}
