/** 200 cities all over the world, with latitude and longitude; from `zone.tab` of the IANA time zone database (public domain). */
const CITIES = `
Andorra 42.5 1.52; Kabul 34.52 69.2; Anguilla 18.2 -63.07; Yerevan 40.18 44.5; McMurdo -77.83 166.6
Davis -68.58 77.97; Mawson -67.6 62.88; Rothera -67.57 -68.13; Troll -72.01 2.53; Buenos_Aires -34.6 -58.45
Salta -24.78 -65.42; Tucuman -26.82 -65.22; San_Juan -31.53 -68.52; San_Luis -33.32 -66.35; Ushuaia -54.8 -68.3
Vienna 48.22 16.33; Macquarie -54.5 158.95; Melbourne -37.82 144.97; Broken_Hill -31.95 141.45; Lindeman -20.27 149
Darwin -12.47 130.83; Eucla -31.72 128.87; Mariehamn 60.1 19.95; Barbados 13.1 -59.62; Brussels 50.83 4.33
Sofia 42.68 23.32; Bujumbura -3.38 29.37; St_Barthelemy 17.88 -62.85; Brunei 4.93 114.92; Kralendijk 12.15 -68.28
Belem -1.45 -48.48; Recife -8.05 -34.9; Maceio -9.67 -35.72; Sao_Paulo -23.53 -46.62; Santarem -2.43 -54.87
Boa_Vista 2.82 -60.67; Eirunepe -6.67 -69.87; Nassau 25.08 -77.35; Gaborone -24.65 25.92; Belize 17.5 -88.2
Halifax 44.65 -63.6; Moncton 46.1 -64.78; Blanc-Sablon 51.42 -57.12; Iqaluit 63.73 -68.47; Winnipeg 49.88 -97.15
Regina 50.4 -104.65; Edmonton 53.55 -113.47; Inuvik 68.35 -133.72; Dawson_Creek 55.77 -120.23
Whitehorse 60.72 -135.05; Vancouver 49.27 -123.12; Kinshasa -4.3 15.3; Bangui 4.37 18.58; Zurich 47.38 8.53
Rarotonga -21.23 -159.77; Coyhaique -45.57 -72.07; Douala 4.05 9.7; Urumqi 43.8 87.58; Costa_Rica 9.93 -84.08
Cape_Verde 14.92 -23.52; Christmas -10.42 105.72; Famagusta 35.12 33.95; Berlin 52.5 13.37; Djibouti 11.6 43.15
Dominica 15.3 -61.4; Algiers 36.78 3.05; Galapagos -0.9 -89.6; El_Aaiun 27.15 -13.2; Madrid 40.4 -3.68
Canary 28.1 -15.4; Helsinki 60.17 24.97; Stanley -51.7 -57.85; Pohnpei 6.97 158.22; Faroe 62.02 -6.77
Libreville 0.38 9.45; Grenada 12.05 -61.75; Cayenne 4.93 -52.33; Accra 5.55 -0.22; Danmarkshavn 76.77 -18.67
Thule 76.57 -68.78; Conakry 9.52 -13.72; Malabo 3.75 8.78; South_Georgia -54.27 -36.53; Guam 13.47 144.75
Guyana 6.8 -58.17; Tegucigalpa 14.1 -87.22; Port-au-Prince 18.53 -72.33; Jakarta -6.17 106.8; Makassar -5.12 119.4
Jerusalem 31.78 35.22; Kolkata 22.53 88.37; Baghdad 33.35 44.42; Reykjavik 64.15 -21.85; Jersey 49.18 -2.11
Amman 31.95 35.93; Nairobi -1.28 36.82; Phnom_Penh 11.55 104.92; Kanton -2.78 -171.72; Comoro -11.68 43.27
Pyongyang 39.02 125.75; Cayman 19.3 -81.38; Qyzylorda 44.8 65.47; Aqtobe 50.28 57.17; Atyrau 47.12 51.93
Vientiane 17.97 102.6; St_Lucia 14.02 -61; Colombo 6.93 79.85; Maseru -29.47 27.5; Luxembourg 49.6 6.15
Tripoli 32.9 13.18; Monaco 43.7 7.38; Podgorica 42.43 19.27; Majuro 7.15 171.2; Skopje 41.98 21.43
Yangon 16.78 96.17; Hovd 48.02 91.65; Saipan 15.2 145.75; Nouakchott 18.1 -15.95; Malta 35.9 14.52
Maldives 4.17 73.5; Mexico_City 19.4 -99.15; Merida 20.97 -89.62; Matamoros 25.83 -97.5; Ojinaga 29.57 -104.42
Bahia_Banderas 20.8 -105.25; Tijuana 32.53 -117.02; Kuching 1.55 110.33; Windhoek -22.57 17.1; Niamey 13.52 2.12
Lagos 6.45 3.4; Amsterdam 52.37 4.9; Kathmandu 27.72 85.32; Niue -19.02 -169.92; Chatham -43.95 -176.55
Lima -12.05 -77.05; Marquesas -9 -139.5; Port_Moresby -9.5 147.17; Manila 14.59 120.97; Warsaw 52.25 21
Pitcairn -25.07 -130.08; Gaza 31.5 34.47; Lisbon 38.72 -9.13; Azores 37.73 -25.67; Asuncion -25.27 -57.67
Reunion -20.87 55.47; Kaliningrad 54.72 20.5; Simferopol 44.95 34.1; Volgograd 48.73 44.42; Saratov 51.57 46.03
Samara 53.2 50.15; Omsk 55 73.4; Barnaul 53.37 83.75; Novokuznetsk 53.75 87.12; Irkutsk 52.27 104.33
Yakutsk 62 129.67; Vladivostok 43.17 131.93; Sakhalin 46.97 142.7; Kamchatka 53.02 158.65; Kigali -1.95 30.07
Guadalcanal -9.53 160.2; Khartoum 15.6 32.53; Singapore 1.28 103.85; Ljubljana 46.05 14.52; Bratislava 48.15 17.12
San_Marino 43.92 12.47; Mogadishu 2.07 45.37; Juba 4.85 31.62; Lower_Princes 18.05 -63.05; Mbabane -26.3 31.1
Ndjamena 12.12 15.05; Lome 6.13 1.22; Dushanbe 38.58 68.8; Dili -8.55 125.58; Tunis 36.8 10.18; Istanbul 41.02 28.97
Funafuti -8.52 179.22; Dar_es_Salaam -6.8 39.28; Kampala 0.32 32.42; New_York 40.71 -74.01; Louisville 38.25 -85.76
Indianapolis 39.77 -86.16; Winamac 41.05 -86.6; Petersburg 38.49 -87.28; Chicago 41.85 -87.65; Knox 41.3 -86.62
Center 47.12 -101.3; Beulah 47.26 -101.78; Boise 43.61 -116.2; Los_Angeles 34.05 -118.24; Sitka 57.18 -135.3
Yakutat 59.55 -139.73; Adak 51.88 -176.66; Montevideo -34.91 -56.21; Tashkent 41.33 69.3; St_Vincent 13.15 -61.23
Tortola 18.45 -64.62; Ho_Chi_Minh 10.75 106.67; Wallis -13.3 -176.17; Aden 12.75 45.2; Johannesburg -26.25 28
`

/** A city as tests know it. */
export interface City {
  readonly name: string
  readonly latitude: number
  readonly longitude: number
}

/** In no order that means anything. */
export const cities: readonly City[] = CITIES.trim()
  .split(/[;\n]\s*/)
  .map((line) => {
    const [name = '', latitude, longitude] = line.split(' ')
    return { name, latitude: Number(latitude), longitude: Number(longitude) }
  })

/** Great-circle distance by Vincenty's formula for a sphere: written for tests, apart from what it is compared with. */
export function vincentyKm(a: City, b: City): number {
  const [lat1, lat2, delta] = [a.latitude, b.latitude, b.longitude - a.longitude].map((d) => (d / 180) * Math.PI) as [
    number,
    number,
    number,
  ]
  const y = Math.hypot(
    Math.cos(lat2) * Math.sin(delta),
    Math.cos(lat1) * Math.sin(lat2) - Math.sin(lat1) * Math.cos(lat2) * Math.cos(delta),
  )
  const x = Math.sin(lat1) * Math.sin(lat2) + Math.cos(lat1) * Math.cos(lat2) * Math.cos(delta)
  return 6371.0088 * Math.atan2(y, x)
}

/** Ten layouts of nodes, each of cities by their number: few and many, near and far, both sides of the date line. */
export const layouts: readonly (readonly City[])[] = [
  [3, 120],
  [10, 70, 150],
  [1, 50, 100, 150, 199],
  [0, 1, 2, 3, 4],
  [196, 197, 198, 199],
  Array.from({ length: 20 }, (_, i) => i * 10),
  Array.from({ length: 50 }, (_, i) => i * 4),
  Array.from({ length: 200 }, (_, i) => i),
  [77],
  [5, 25, 45, 65, 85, 105, 125, 145, 165, 185],
].map((numbers) => numbers.map((number) => cities[number] as City))
