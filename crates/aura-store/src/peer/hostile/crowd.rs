// SPDX-License-Identifier: MIT OR Apache-2.0
//! More at once than there may be: of watches, of handshakes. Source: spec/peer.md, PEE-7.

use super::*;

/// A device that counts how often it is asked for its local store.
struct Counting(Arc<LocalStore>, Arc<AtomicU64>);

impl Source for Counting {
    fn local(&self) -> Option<Arc<LocalStore>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Some(Arc::clone(&self.0))
    }

    fn holder(&self, transport: &[u8; 32]) -> Option<DeviceId> {
        self.0.holder(transport).ok()?
    }
}

/// A connection in a device's name that reads next to nothing of what it is answered.
async fn deaf(at: SocketAddr, author: &Author, device: DeviceId, name: &str) -> Connection {
    let greeter: Arc<dyn Greeter> = Arc::new(Card(author.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(device));
    let tls = tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window(16_u32.into());
    transport.keep_alive_interval(Some(Duration::from_secs(1)));
    config.transport_config(Arc::new(transport));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.connect_with(config, at, name).unwrap().await.unwrap()
}

/// PEE-7: of a device's watches few are looked at, and few answers held, however many it opens and whatever it reads;
/// the others are answered meanwhile.
#[test]
fn pee_7_watches_are_worked_on_like_questions() {
    let mut scene = Scene::new();
    let (tablet, add) = scene.nora.pair(&mut scene.seed);
    scene.keeps(&[add]);
    let count = Arc::new(AtomicU64::new(0));
    let source = Counting(Arc::clone(&scene.local), Arc::clone(&count));
    let asked = node(&scene.nora, scene.nora.vault(), source);
    let at = asked.address().unwrap();
    let ask = [&Kind::Watch.begin()[..], &[0x82, 0x81, 0x80, 0]].concat();
    let _lines = scene.runtime.block_on(async {
        let mut held = Vec::new();
        for _ in 0..4 {
            let line = deaf(at, &scene.ada, scene.nora.device(), &named(&scene)).await;
            for _ in 0..16 {
                let (mut send, recv) = line.open_bi().await.unwrap();
                send.write_all(&ask).await.unwrap();
                send.finish().unwrap();
                held.push((line.clone(), send, recv));
            }
        }
        held
    });
    std::thread::sleep(Duration::from_secs(1));
    // Besides, the store is looked at once for its bell.
    let looks = count.load(Ordering::SeqCst);
    assert!((2..=3).contains(&looks), "{looks} looks");
    let device = scene.nora.device();
    let caller = node(&tablet, scene.nora.vault(), Anybody(device));
    let store = PeerStore::new(&caller, device, vec![at.to_string()], Box::new(|| 1_000));
    let begun = Instant::now();
    pollster::block_on(store.heads(&scene.access(), &[])).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// PEE-7: watches that have nothing to tell are bounded for each device, and take no part of its work.
#[test]
fn pee_7_watches_are_bounded() {
    let mut scene = Scene::new();
    scene.keeps(&[]);
    let (_caller, line) = scene.line();
    let heads = pollster::block_on(scene.local.heads(&scene.access(), &[])).unwrap().news;
    let known = heads.iter().map(|head| (head.device, head.incarnation, head.position)).collect();
    let heads = aura_protocol::http::HeadsAsk { known };
    let body = aura_protocol::peer::WatchAsk { heads, wait_ms: 60_000 };
    let body = aura_protocol::codec::Encode::to_bytes(&body);
    let ask = [&Kind::Watch.begin()[..], &body].concat();
    let refused = scene.runtime.block_on(async {
        let watches = (0..8).map(|_| {
            let (line, ask) = (line.clone(), ask.clone());
            let within = Duration::from_secs(4);
            tokio::spawn(async move { tokio::time::timeout(within, said(&line, &ask)).await })
        });
        let mut refused = 0;
        for watch in watches.collect::<Vec<_>>() {
            let Ok(answer) = watch.await.unwrap() else { continue };
            let answer = answer.unwrap();
            assert!(answer.windows(9).any(|part| part == b"slow-down"), "{answer:?}");
            refused += 1;
        }
        refused
    });
    assert_eq!(refused, 4);
    scene.serves_on();
}

/// Whether this first packet (RFC 9000, 17.2.2) has a token: the caller's address was asked for and is shown.
fn has_token(packet: &[u8]) -> bool {
    let scid = 6 + usize::from(packet[5]);
    let token = scid + 1 + usize::from(packet[scid]);
    packet[0] & 0xf0 == 0xc0 && packet[token] != 0
}

/// A handshake of which so many packets arrive after the address was proved, and nothing after that. The first message is
/// two of them.
fn stall(scene: &Scene, mut packets: usize) -> std::net::UdpSocket {
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let tls = tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    let front = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let back = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    back.connect(scene.node.address().unwrap()).unwrap();
    let (at, name) = (front.local_addr().unwrap(), named(scene));
    scene.runtime.spawn(async move { call(at, tls, &name).await });
    let mut packet = [0; 2048];
    let (length, caller) = front.recv_from(&mut packet).unwrap();
    back.send(&packet[..length]).unwrap();
    let length = back.recv(&mut packet).unwrap();
    assert_eq!(packet[0] & 0xf0, 0xf0, "a Retry packet");
    front.send_to(&packet[..length], caller).unwrap();
    loop {
        let length = front.recv(&mut packet).unwrap();
        if has_token(&packet) {
            back.send(&packet[..length]).unwrap();
            packets -= 1;
        }
        if packets == 0 {
            return back;
        }
    }
}

/// PEE-7: strangers who begin handshakes and say no more keep no device out, and are let go of soon.
#[test]
fn pee_7_stalled_handshakes_keep_nobody_out() {
    let scene = Scene::new();
    let door = Arc::clone(&scene.node.inner.house.door);
    let stalled: Vec<_> = (0..16).map(|_| stall(&scene, 1)).collect();
    let begun = Instant::now();
    while door.count() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "they are at the door");
    }
    let begun = Instant::now();
    scene.serves_on();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(door.count(), 0);
    drop(stalled);
}

/// PEE-7: nor does a handshake last that is begun as a whole and not ended.
#[test]
fn pee_7_a_handshake_has_an_end() {
    let scene = Scene::new();
    let door = Arc::clone(&scene.node.inner.house.door);
    let stalled = stall(&scene, 2);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(door.count(), 1);
    std::thread::sleep(Duration::from_secs(9));
    assert_eq!(door.count(), 0);
    drop(stalled);
}

/// PEE-7: a connection has so many streams at once.
#[test]
fn pee_7_streams_are_bounded() {
    let scene = Scene::new();
    let (_caller, line) = scene.line();
    scene.runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..16 {
            let (mut send, recv) = line.open_bi().await.unwrap();
            send.write_all(&[0x82]).await.unwrap();
            open.push((send, recv));
        }
        let within = Duration::from_secs(1);
        assert!(tokio::time::timeout(within, line.open_bi()).await.is_err());
        open.clear();
        assert!(tokio::time::timeout(within, line.open_bi()).await.is_ok());
    });
}

/// PEE-7: of a device's questions two go on at once, and a third waits until one of them is ended.
#[test]
fn pee_7_a_device_has_two_questions_at_once() {
    let scene = Scene::new();
    let (_caller, line) = scene.line();
    let took = scene.runtime.block_on(async {
        let mut slow = Vec::new();
        for _ in 0..2 {
            let (mut send, recv) = line.open_bi().await.unwrap();
            send.write_all(&[&Kind::Push.begin()[..], &[0x82]].concat()).await.unwrap();
            slow.push((send, recv));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        let asked = said(&line, &[&Kind::Heads.begin()[..], &[0x81, 0x80]].concat()).await;
        assert_eq!(asked.unwrap().get(..2), Some(&[0x82, 0][..]));
        begun.elapsed()
    });
    assert!((SILENCE / 2..SILENCE * 2).contains(&took), "{took:?}");
}

/// PEE-7: all devices together have so many connections, and one that ends makes room.
#[test]
fn pee_7_all_connections_are_bounded() {
    let mut scene = Scene::new();
    let devices: Vec<Author> = (0..17)
        .map(|_| {
            let (device, add) = scene.nora.pair(&mut scene.seed);
            scene.keeps(&[add]);
            device
        })
        .collect();
    let (at, nora) = (scene.node.address().unwrap(), scene.nora.device());
    let connects = |device: &Author| {
        let line = scene.runtime.block_on(deaf(at, device, nora, &named(&scene)));
        let closed =
            async { tokio::time::timeout(Duration::from_millis(500), line.closed()).await.is_ok() };
        let is_closed = scene.runtime.block_on(closed);
        (line, is_closed)
    };
    let mut lines = Vec::new();
    for device in &devices[..16] {
        for _ in 0..4 {
            lines.push(scene.runtime.block_on(deaf(at, device, nora, &named(&scene))));
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(lines.iter().all(|line| line.close_reason().is_none()));
    assert!(connects(&devices[16]).1);
    lines.remove(0).close(0_u32.into(), &[]);
    std::thread::sleep(Duration::from_millis(500));
    let (_line, is_closed) = connects(&devices[16]);
    assert!(!is_closed);
}

/// PEE-11: places at which nobody answers are waited for together, not one after the other.
#[test]
fn pee_11_dead_places_are_waited_for_together() {
    let scene = Scene::new();
    let dead: Vec<_> = (0..7).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let mut places: Vec<_> =
        dead.iter().map(|dead| dead.local_addr().unwrap().to_string()).collect();
    let caller = node(&scene.ada, scene.nora.vault(), Anybody(scene.nora.device()));
    let begun = Instant::now();
    assert!(pollster::block_on(caller.meet_at(places.clone())).is_err());
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    places.push(scene.place());
    let begun = Instant::now();
    assert_eq!(pollster::block_on(caller.meet_at(places)), Ok(scene.nora.device()));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
