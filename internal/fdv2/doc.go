// Package fdv2 reads the second generation of the flag service's protocol, which LaunchDarkly documents as data saving mode: the
// events of a stream, or of the answer to a poll, become change sets.
//
// A payload is the event server-intent, any number of put-object and delete-object, and payload-transferred, and nothing of it
// counts before the last. Changes may follow without another server-intent.
package fdv2
