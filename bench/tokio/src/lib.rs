// SPDX-License-Identifier: Apache-2.0

//! tokio, as the specification's own sketch of the three buffers uses it:
//! `broadcast` for the ring, `watch` of an `Option` for the latest value,
//! `Notify` and a slot for the mailbox; consumers are tasks of a multi-thread
//! runtime. Values of up to 512 bytes travel by value, larger ones as
//! `Arc<[u8]>`, so that readers do not copy them.

use std::ffi::c_void;
use std::slice;
use std::sync::{Arc, Mutex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch, Notify};
use tokio::task::JoinHandle;

extern "C" {
    fn bench_received(consumer: i32, data: *const c_void, size: usize);
}

type Value = [u8; 64];

/// The one-slot mailbox. `notify_one`, not the sketch's `notify_waiters`,
/// which loses the wake-up when nobody waits yet; and a std mutex, which tokio
/// recommends where no lock is held across an await.
#[derive(Default)]
struct Mailbox {
    slot: Mutex<Option<Value>>,
    filled: Notify,
}

impl Mailbox {
    fn put(&self, value: Value) {
        *self.slot.lock().unwrap() = Some(value);
        self.filled.notify_one();
    }
    async fn take(&self) -> Value {
        loop {
            if let Some(value) = self.slot.lock().unwrap().take() {
                return value;
            }
            self.filled.notified().await;
        }
    }
}

/// A broadcast channel and one receiver that is kept but never read: `send`
/// refuses to work without any.
struct Stream<T>(
    broadcast::Sender<T>,
    #[allow(dead_code)] Option<broadcast::Receiver<T>>,
);

enum Channel {
    Bytes8(Stream<[u8; 8]>),
    Bytes64(Stream<[u8; 64]>),
    Bytes512(Stream<[u8; 512]>),
    Shared(Stream<Arc<[u8]>>),
    Latest(watch::Sender<Option<Value>>, watch::Receiver<Option<Value>>),
    Mailboxes(Arc<Mailbox>, Arc<Mailbox>),
}

pub struct Rival {
    channel: Channel,
    runtime: Runtime,
    consumers: Vec<JoinHandle<()>>,
}

fn stream<T>(runtime: &Runtime, capacity: usize, count: i32) -> (Stream<T>, Vec<JoinHandle<()>>)
where
    T: Clone + Send + AsRef<[u8]> + 'static,
{
    let (sender, receiver) = broadcast::channel::<T>(capacity);
    let consumers = (0..count)
        .map(|consumer| {
            let mut receiver = sender.subscribe();
            runtime.spawn(async move {
                loop {
                    match receiver.recv().await {
                        Ok(value) => {
                            let bytes = value.as_ref();
                            unsafe { bench_received(consumer, bytes.as_ptr().cast(), bytes.len()) }
                        }
                        Err(RecvError::Lagged(_)) => (),
                        Err(RecvError::Closed) => break,
                    }
                }
            })
        })
        .collect();
    (Stream(sender, (count == 0).then_some(receiver)), consumers)
}

#[no_mangle]
pub extern "C" fn rival_open(
    shape: i32,
    _sleeps: bool,
    count: i32,
    size: usize,
    capacity: usize,
) -> *mut Rival {
    let runtime = Builder::new_multi_thread().build().unwrap();
    let (channel, consumers) = match (shape, size) {
        (0, 8) => wrap(Channel::Bytes8, stream(&runtime, capacity, count)),
        (0, 64) => wrap(Channel::Bytes64, stream(&runtime, capacity, count)),
        (0, 512) => wrap(Channel::Bytes512, stream(&runtime, capacity, count)),
        (0, _) => wrap(Channel::Shared, stream(&runtime, capacity, count)),
        (1, 64) => {
            let (sender, receiver) = watch::channel(None);
            (Channel::Latest(sender, receiver), Vec::new())
        }
        (2, 64) => (
            Channel::Mailboxes(Arc::default(), Arc::default()),
            Vec::new(),
        ),
        _ => return std::ptr::null_mut(),
    };
    Box::into_raw(Box::new(Rival {
        channel,
        runtime,
        consumers,
    }))
}

fn wrap<S, C>(channel: fn(S) -> Channel, (stream, consumers): (S, C)) -> (Channel, C) {
    (channel(stream), consumers)
}

fn send<T>(stream: &Stream<T>, value: T) {
    if stream.0.send(value).is_err() {
        panic!("no receiver");
    }
}

/// # Safety
/// `rival` is from rival_open, `data` points to `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_push(rival: *mut Rival, data: *const u8, size: usize) {
    let bytes = slice::from_raw_parts(data, size);
    match &(*rival).channel {
        Channel::Bytes64(s) => send(s, bytes.try_into().unwrap()),
        Channel::Bytes8(s) => send(s, bytes.try_into().unwrap()),
        Channel::Bytes512(s) => send(s, bytes.try_into().unwrap()),
        Channel::Shared(s) => send(s, bytes.into()),
        Channel::Latest(sender, _) => sender.send(Some(bytes.try_into().unwrap())).unwrap(),
        Channel::Mailboxes(..) => panic!("not a stream"),
    }
}

/// # Safety
/// As rival_push; nobody else uses the rival.
#[no_mangle]
pub unsafe extern "C" fn rival_read(rival: *mut Rival, data: *mut u8, size: usize) {
    let Channel::Latest(_, receiver) = &mut (*rival).channel else {
        panic!("not a latest value")
    };
    let newest = receiver.borrow_and_update();
    if newest.has_changed() {
        slice::from_raw_parts_mut(data, size).copy_from_slice(&newest.unwrap());
    }
}

/// From thread to thread: one side is a task, the other waits for it on the
/// calling thread.
///
/// # Safety
/// As rival_push.
#[no_mangle]
pub unsafe extern "C" fn rival_roundtrips(rival: *mut Rival, count: u64) {
    let Channel::Mailboxes(request, answer) = &(*rival).channel else {
        panic!("not mailboxes")
    };
    let (echo_request, echo_answer) = (request.clone(), answer.clone());
    let echo = (*rival).runtime.spawn(async move {
        for _ in 0..count {
            echo_answer.put(echo_request.take().await);
        }
    });
    (*rival).runtime.block_on(async {
        for i in 0..count {
            let mut value = [0; 64];
            value[..8].copy_from_slice(&i.to_ne_bytes());
            value[56..].copy_from_slice(&i.to_ne_bytes());
            request.put(value);
            assert_eq!(answer.take().await, value);
        }
        echo.await.unwrap();
    });
}

/// # Safety
/// `rival` is from rival_open and not used again.
#[no_mangle]
pub unsafe extern "C" fn rival_close(rival: *mut Rival) {
    let Rival {
        channel,
        runtime,
        consumers,
    } = *Box::from_raw(rival);
    drop(channel);
    runtime.block_on(async {
        for consumer in consumers {
            consumer.await.unwrap();
        }
    });
}
