// A recipient with an independent client library: pairs with the simulator and posts what it decrypts to the ledger.
//   NODE_EXTRA_CA_CERTS=DIR/ca.pem node recipient.mjs DIR/simulator.json PHONE STORE_DIRECTORY
// Prints "open" once it is connected.
import { readFileSync } from 'node:fs'
import makeWASocket, { DisconnectReason, useMultiFileAuthState } from '@whiskeysockets/baileys'
import { WA_CERT_DETAILS } from '@whiskeysockets/baileys/lib/Defaults/index.js'
import pino from 'pino'

const [simulatorFile, phone, store] = process.argv.slice(2)
const simulator = JSON.parse(readFileSync(simulatorFile, 'utf8'))
Buffer.from(simulator.root_public_key, 'hex').copy(WA_CERT_DETAILS.PUBLIC_KEY)
const { state, saveCreds } = await useMultiFileAuthState(store)

const post = async (url, content) => {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(content) })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
}

const textOf = message =>
  message.conversation ?? message.extendedTextMessage?.text ?? message.imageMessage?.caption ?? ''

const connect = () => {
  const socket = makeWASocket({
    auth: state,
    waWebSocketUrl: `wss://localhost:${simulator.tls_port}/ws/chat`,
    logger: pino({ level: process.env.BAILEYS_LOG ?? 'silent' }, pino.destination(2)),
    syncFullHistory: false,
  })
  socket.ev.on('creds.update', saveCreds)
  socket.ev.on('connection.update', async ({ qr, connection, lastDisconnect }) => {
    if (qr) await post(`${simulator.control_url}/phones/${phone}/scan`, { qr })
    if (connection === 'open') console.log('open')
    const status = lastDisconnect?.error?.output?.statusCode
    if (connection === 'close' && status === DisconnectReason.restartRequired) connect()
  })
  socket.ev.on('messages.upsert', async ({ messages }) => {
    for (const { key, message } of messages) {
      const text = message && textOf(message)
      if (!text || key.fromMe) continue
      await post(`${simulator.ledger_url}/received`, {
        phone,
        chat: key.remoteJid,
        sender: key.participant || key.remoteJid,
        message_id: key.id,
        text,
      })
    }
  })
}
connect()
