// SPDX-License-Identifier: Apache-2.0

//! iceoryx2 within one process (`local::Service`): publish-subscribe of byte
//! slices, written into a loan and received without a copy. Consumers that may
//! sleep are woken by an event service, which the publisher notifies after
//! each value; the others poll, as iceoryx2's own benchmarks do. The latest
//! value is a blackboard entry. Every thread has a node and ports of its own.

use iceoryx2::port::listener::{Listener, ListenerWaitError};
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::reader::EntryHandle;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::writer::EntryHandleMut;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use std::ffi::c_void;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::{mpsc, Arc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

extern "C" {
    fn bench_received(consumer: i32, data: *const c_void, size: usize);
}

type Local = local::Service;
type Value = [u8; 64];

const SPINS: u32 = 128; // polls before yielding the processor

#[derive(Clone, Copy)]
struct Setup {
    size: usize,
    capacity: usize,
}

fn node() -> Node<Local> {
    NodeBuilder::new().create::<Local>().unwrap()
}

fn name(name: &str) -> ServiceName {
    name.try_into().unwrap()
}

fn values(
    node: &Node<Local>,
    stream: &str,
    setup: Setup,
) -> publish_subscribe::PortFactory<Local, [u8], ()> {
    node.service_builder(&name(stream))
        .publish_subscribe::<[u8]>()
        .max_nodes(16)
        .max_subscribers(8)
        .history_size(0)
        .subscriber_max_buffer_size(setup.capacity)
        .enable_safe_overflow(true)
        .open_or_create()
        .unwrap()
}

fn events(node: &Node<Local>, stream: &str) -> event::PortFactory<Local> {
    node.service_builder(&name(stream))
        .event()
        .max_nodes(16)
        .max_listeners(8)
        .open_or_create()
        .unwrap()
}

struct Sender {
    publisher: Publisher<Local, [u8], ()>,
    notifier: Option<Notifier<Local>>,
}

impl Sender {
    fn new(node: &Node<Local>, stream: &str, setup: Setup, notifies: bool) -> Self {
        let publisher = values(node, stream, setup)
            .publisher_builder()
            .initial_max_slice_len(setup.size)
            .create();
        let notifier = notifies.then(|| events(node, stream).notifier_builder().create().unwrap());
        Sender {
            publisher: publisher.unwrap(),
            notifier,
        }
    }
    #[inline]
    fn send(&self, bytes: &[u8]) {
        self.publisher
            .loan_slice_uninit(bytes.len())
            .unwrap()
            .write_from_slice(bytes)
            .send()
            .unwrap();
        if let Some(notifier) = &self.notifier {
            notifier.notify().unwrap();
        }
    }
}

struct Receiver {
    subscriber: Subscriber<Local, [u8], ()>,
    listener: Option<Listener<Local>>,
}

impl Receiver {
    fn new(node: &Node<Local>, stream: &str, setup: Setup, sleeps: bool) -> Self {
        let listener = sleeps.then(|| events(node, stream).listener_builder().create().unwrap());
        Receiver {
            subscriber: values(node, stream, setup)
                .subscriber_builder()
                .create()
                .unwrap(),
            listener,
        }
    }
    /// Waits for a value and hands it over; false when it has ended.
    #[inline]
    fn receive(&self, ended: &AtomicBool, mut f: impl FnMut(&[u8])) -> bool {
        for polls in 1.. {
            if let Some(sample) = self.subscriber.receive().unwrap() {
                f(sample.payload());
                return true;
            }
            if ended.load(Acquire) {
                break;
            }
            match &self.listener {
                Some(listener) => sleep(listener),
                None if polls % SPINS == 0 => thread::yield_now(),
                None => std::hint::spin_loop(),
            }
        }
        false
    }
}

/// Waits for an event, but not for ever: 0.10.0 was seen to leave a listener
/// asleep at 100,000 events a second. (`blocking_wait` is the same call with a
/// longer timeout, so this costs nothing.)
fn sleep(listener: &Listener<Local>) {
    match listener.timed_wait(|_| (), Duration::from_millis(20)) {
        Ok(_) | Err(ListenerWaitError::InterruptSignal) => (),
        Err(error) => panic!("{error}"),
    }
}

enum Channel {
    Stream(Sender),
    Latest(
        EntryHandleMut<Local, u64, Value>,
        EntryHandle<Local, u64, Value>,
    ),
    Mailboxes(Sender, Receiver),
}

pub struct Rival {
    channel: Channel,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _node: Node<Local>,
}

fn consume(consumer: i32, setup: Setup, sleeps: bool, ended: &AtomicBool) {
    let node = node();
    let receiver = Receiver::new(&node, "values", setup, sleeps);
    while receiver.receive(ended, |v| unsafe {
        bench_received(consumer, v.as_ptr().cast(), v.len())
    }) {}
}

fn echo(setup: Setup, ended: &AtomicBool, ready: mpsc::Sender<()>) {
    let node = node();
    let requests = Receiver::new(&node, "request", setup, true);
    let answers = Sender::new(&node, "answer", setup, true);
    ready.send(()).unwrap(); // a request before this would reach nobody
    while requests.receive(ended, |v| answers.send(v)) {}
}

fn latest(node: &Node<Local>) -> Channel {
    let board = node
        .service_builder(&name("latest"))
        .blackboard_creator::<u64>()
        .add::<Value>(0, [0; 64])
        .create();
    let board = board.unwrap();
    let writer = board.writer_builder().create().unwrap();
    let reader = board.reader_builder().create().unwrap();
    Channel::Latest(writer.entry(&0).unwrap(), reader.entry(&0).unwrap())
}

#[no_mangle]
pub extern "C" fn rival_open(
    shape: i32,
    sleeps: bool,
    count: i32,
    size: usize,
    capacity: usize,
) -> *mut Rival {
    set_log_level(LogLevel::Error);
    let (node, setup, ended) = (
        node(),
        Setup { size, capacity },
        Arc::<AtomicBool>::default(),
    );
    let channel = match shape {
        0 => Channel::Stream(Sender::new(&node, "values", setup, sleeps)),
        1 => latest(&node),
        _ => Channel::Mailboxes(
            Sender::new(&node, "request", setup, true),
            Receiver::new(&node, "answer", setup, true),
        ),
    };
    let mut threads: Vec<_> = (0..count)
        .map(|consumer| {
            let ended = ended.clone();
            thread::spawn(move || consume(consumer, setup, sleeps, &ended))
        })
        .collect();
    if let Channel::Mailboxes(..) = channel {
        let (ended, (ready, is_ready)) = (ended.clone(), mpsc::channel());
        threads.push(thread::spawn(move || echo(setup, &ended, ready)));
        is_ready.recv().unwrap();
    }
    Box::into_raw(Box::new(Rival {
        channel,
        ended,
        threads,
        _node: node,
    }))
}

/// # Safety
/// `rival` is from rival_open, `data` points to `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_push(rival: *mut Rival, data: *const u8, size: usize) {
    let bytes = slice::from_raw_parts(data, size);
    match &(*rival).channel {
        Channel::Stream(sender) => sender.send(bytes),
        Channel::Latest(entry, _) => entry.update_with_copy(bytes.try_into().unwrap()),
        Channel::Mailboxes(..) => panic!("not a stream"),
    }
}

/// # Safety
/// As rival_push.
#[no_mangle]
pub unsafe extern "C" fn rival_read(rival: *mut Rival, data: *mut u8, size: usize) {
    let Channel::Latest(_, entry) = &(*rival).channel else {
        panic!("not a latest value")
    };
    slice::from_raw_parts_mut(data, size).copy_from_slice(&*entry.get());
}

/// # Safety
/// As rival_push.
#[no_mangle]
pub unsafe extern "C" fn rival_roundtrips(rival: *mut Rival, count: u64) {
    let Channel::Mailboxes(request, answer) = &(*rival).channel else {
        panic!("not mailboxes")
    };
    for i in 0..count {
        let mut value = [0; 64];
        value[..8].copy_from_slice(&i.to_ne_bytes());
        value[56..].copy_from_slice(&i.to_ne_bytes());
        request.send(&value);
        answer.receive(&(*rival).ended, |v| assert_eq!(v, value));
    }
}

/// # Safety
/// `rival` is from rival_open and not used again.
#[no_mangle]
pub unsafe extern "C" fn rival_close(rival: *mut Rival) {
    let rival = Box::from_raw(rival);
    rival.ended.store(true, Release);
    let sender = match &rival.channel {
        Channel::Stream(sender) | Channel::Mailboxes(sender, _) => sender.notifier.as_ref(),
        Channel::Latest(..) => None,
    };
    if let Some(notifier) = sender {
        notifier.notify().unwrap();
    }
    let Rival { threads, .. } = *rival;
    for thread in threads {
        thread.join().unwrap();
    }
}
