// Package measure makes measurements of what meters stream.
//
// A [Source] yields the windows of one meter, gaps and statuses:
// [meter.Supervised] is one, [meter.Replay] another. [Run] is the loop that hands them to any number of
// sinks, and sees to the end: sinks finish, the meter is told to stop, the
// source is closed. [Every] is a sink that makes readings of any interval:
//
//	src, err := meter.Supervise(ctx, meter.Config{}, meter.StreamConfig{}, meter.Recovery{})
//	...
//	_, err = measure.Run(ctx, src,
//		&measure.Every{Interval: time.Second, Out: show},
//		&measure.Every{Interval: time.Minute, Out: store})
//
// A [Hub] is a sink through which any number of readers get the same events, each
// at its own pace.
//
// A new way to get windows is a Source, a new use of them a [Sink]. Package
// measuretest has a Source for tests.
package measure
