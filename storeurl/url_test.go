package storeurl_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

func TestURL_Parameters_AreRead(t *testing.T) {
	u := parsed(t, "REDIS://me:pw@h:1/2?text=a%20b&for=500ms&count=3&yes=on&no=FALSE&empty=")
	require.Equal(t, "redis", u.Scheme())
	require.Equal(t, "h:1", u.Host())
	require.Equal(t, []string{"h:1"}, u.Addresses("9"))
	require.Equal(t, "/2", u.Path())
	require.Equal(t, "me", u.User().Username())
	require.Equal(t, "a b", u.Text("text"))
	require.Equal(t, 500*time.Millisecond, u.Duration("for"))
	require.Equal(t, 3, u.Int("count"))
	require.True(t, u.Bool("yes", false))
	require.False(t, u.Bool("no", true))
	require.True(t, u.Has("empty"))
	require.NoError(t, u.Check())
}

func TestURL_Parameters_Absent_AreZero(t *testing.T) {
	u := parsed(t, "memory://")
	require.Empty(t, u.Text("x"))
	require.Zero(t, u.Duration("x"))
	require.Zero(t, u.Int("x"))
	require.True(t, u.Bool("x", true))
	require.False(t, u.Has("x"))
	require.Nil(t, u.User())
	require.NoError(t, u.Check())
}

// Check names all that is wrong, and shows no value.
func TestURL_Check_NamesEveryParameterAndNoValue(t *testing.T) {
	u := parsed(t, "memory://?for=s3cr3t&count=-1&flag=s3cr3t&twice=1&twice=2&known=1")
	u.Duration("for")
	u.Int("count")
	u.Bool("flag", false)
	u.RefuseUnknown([]string{"known", "for", "count", "flag"})
	err := u.Check()
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, err.Error(), "s3cr3t")
	for _, want := range []string{
		"parameter for: it is no duration", "parameter count: it is no number", "parameter flag: it is neither on nor off",
		"parameter twice: it is given 2 times", "parameter twice: it is unknown; known are count, flag, for, known",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestParse_NoURL_IsInvalid(t *testing.T) {
	for _, text := range []string{"", "s3cr3t", "redis://h?a=1;s3cr3t=2", "redis://u:s3cr3t%zz@h"} {
		_, err := storeurl.Parse(text, nil)
		require.ErrorIs(t, err, core.ErrInvalid, text)
		require.NotContains(t, err.Error(), "s3cr3t")
	}
}

// What Parsed returns is a copy.
func TestURL_Parsed_IsACopy(t *testing.T) {
	u := parsed(t, "redis://me@a:1,b:2/3?db=4")
	u.Parsed().Host = "other"
	require.Equal(t, "redis://me@a:1,b:2/3?db=4", u.Parsed().String())
	require.Equal(t, "redis://a:1,b:2", u.String())
}
