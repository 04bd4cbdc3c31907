// Package testrun runs the subtests of the suites below conformance: as tests of Go, or recorded, so that suites can be
// run against stores that are meant to fail, and the failures be looked at.
//
//	suite := func(t testrun.T) { t.Run("Get", func(t testrun.T) { … }) }
//
//	suite(testrun.Of(t))                                                   // fails the test
//	testrun.Record(t, nil, suite).RequireFailures(t, []string{"Get"}, nil) // passes if the subtest fails
package testrun
