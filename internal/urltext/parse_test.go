package urltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/urltext"
)

func TestParse_Hosts_AreKept(t *testing.T) {
	for text, want := range map[string]string{
		"redis://h":                           "h",
		"redis+cluster://a:1,b:2/?prefix=x":   "a:1,b:2",
		"redis+cluster://u:p@a:1,b":           "a:1,b",
		"redis+cluster://u:p,q@a,b:2?x=1":     "a,b:2",
		"redis+sentinel://[::1]:1,[::2]/m":    "[::1]:1,[::2]",
		"sqlite:///var/lib/a@b,c.db?cache=1s": "",
	} {
		u, err := urltext.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, u.Host, text)
	}
	for text, want := range map[string]string{
		"redis://h?prefix=a%40b":    "a@b",
		"redis://u@h?prefix=a%40b":  "a@b",
		"sqlite:///x.db?prefix=a@b": "a@b",
	} {
		u, err := urltext.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, u.Query().Get("prefix"), text)
	}
	u, err := urltext.Parse("redis+cluster://u:p%2Cq@a:1,b:2/0?prefix=a,b")
	require.NoError(t, err)
	password, _ := u.User.Password()
	require.Equal(t, "p,q", password)
	require.Equal(t, "/0", u.Path)
	require.Equal(t, "a,b", u.Query().Get("prefix"))
}

func TestParse_WhatIsNoStore_IsAnErrorThatShowsNothing(t *testing.T) {
	for text, want := range map[string]error{
		"redis://u:s3cr3t%zz@h":         urltext.ErrMalformed,
		"redis://s3cr3t:port:port":      urltext.ErrMalformed,
		"/s3cr3t":                       urltext.ErrNoScheme,
		"redis://u:12/s3cr3t@h":         urltext.ErrTorn,
		"redis://u:12?s3cr3t@h":         urltext.ErrTorn,
		"redis://u:12#s3cr3t@h":         urltext.ErrTorn,
		"redis://:123/45?x=s3@host":     urltext.ErrTorn,
		"redis://u:12?x=s3cr3t@h":       urltext.ErrTorn,
		"redis+cluster://u:1/s3@a:1,b":  urltext.ErrTorn,
		"redis://h?s3cr3t$=1":           urltext.ErrTorn,
		"redis://u:p@s3cr3t?prefix=x@h": urltext.ErrTorn,
		"redis:///:s3cr3t@h":            urltext.ErrTorn,
		"consuls:///u:s3cr3t@h":         urltext.ErrTorn,
		"dynamodb:///s3cr3t@h":          urltext.ErrTorn,
		"sqlite:///u:s3cr3t@h":          urltext.ErrTorn,
		"redis:s3cr3t@h":                urltext.ErrNoScheme,
		"redis:/u:s3cr3t@h":             urltext.ErrNoScheme,
		"redis//u:s3cr3t@h":             urltext.ErrNoScheme,
		"s3cr3t:u@h":                    urltext.ErrNoScheme,
		"redis://h,u:s3cr3t":            urltext.ErrHosts,
		"redis://h,s3cr3t%40h":          urltext.ErrHosts,
	} {
		_, err := urltext.Parse(text)
		require.ErrorIs(t, err, want, text)
		require.NotContains(t, err.Error(), "s3")
	}
}

func TestShow_HasNeitherUserNorPathNorParameters(t *testing.T) {
	for text, want := range map[string]string{
		"redis://u:s3cr3t@a:1,b:2/s3cr3t?prefix=s3cr3t#s3cr3t": "redis://a:1,b:2",
		"redis:///s3cr3t":                     "redis://",
		"sqlite:///var/me@corp/x.db?prefix=p": "sqlite:///var/me@corp/x.db",
		"SQLITE://h/s3cr3t":                   "sqlite://h",
	} {
		u, err := urltext.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, urltext.Show(u))
	}
}

// An IPv6 address may have a zone, whose % a URL escapes and a dialler does not.
func TestAddresses_EveryScheme_IPv6Zones(t *testing.T) {
	for _, scheme := range []string{
		"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "REDISS+CLUSTER", "consul", "consuls", "http", "https", "socks5",
	} {
		for hosts, want := range map[string][]string{
			"[::1%25lo]:21001":                             {"[::1%lo]:21001"},
			"[fe80::1%25eth0]":                             {"[fe80::1%eth0]:99"},
			"u:p%40ss@[::1%25lo]:1":                        {"[::1%lo]:1"},
			"[::1%25lo]:1,[fe80::1%25en-0.7]:2":            {"[::1%lo]:1", "[fe80::1%en-0.7]:2"},
			"u:p%2Cq@h:1,[fe80::1%25eth0],127.0.0.1,[::1]": {"h:1", "[fe80::1%eth0]:99", "127.0.0.1:99", "[::1]:99"},
		} {
			for _, rest := range []string{"", "/", "/0?prefix=a,b", "?x=1"} {
				text := scheme + "://" + hosts + rest
				u, err := urltext.Parse(text)
				require.NoError(t, err, text)
				require.Equal(t, want, urltext.Addresses(u, "99"), text)
				again, err := urltext.Parse(urltext.Show(u))
				require.NoError(t, err, urltext.Show(u))
				require.Equal(t, u.Host, again.Host, "what is shown can be opened")
			}
		}
	}
}

func TestAddresses_WithoutHost_None(t *testing.T) {
	for _, text := range []string{"redis://", "redis://:6379", "memory://?prefix=p", "sqlite:///x.db"} {
		u, err := urltext.Parse(text)
		require.NoError(t, err, text)
		require.Nil(t, urltext.Addresses(u, "1"), text)
	}
}

func TestParse_BadZones_AreRefused(t *testing.T) {
	for _, text := range []string{
		"redis://[::1%lo]:1", "redis://[::1%25a%2Cb]:1", "redis://[::1%25a,b]:1", "redis+cluster://h,[::1%lo]:1",
		"redis+cluster://h,[::1%25a%2Fb]:1", "redis://[::1%25]:1", "redis://h%25lo:1",
	} {
		_, err := urltext.Parse(text)
		require.ErrorContains(t, err, "%25", text)
	}
}
