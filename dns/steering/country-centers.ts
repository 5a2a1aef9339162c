import { isPlace, type Place, unitVector } from '../../core/index.ts'

/**
 * One place of every country that has one city far ahead of the others, or is small: that city, by its ISO 3166-1 code,
 * latitude and longitude. From `zone.tab` of the IANA time zone database, which is in the public domain; Kosovo, Bouvet
 * Island and the Heard and McDonald Islands, which it lacks, are added.
 */
const PRINCIPAL_PLACES = `
AD 42.5 1.5; AE 25.3 55.3; AF 34.5 69.2; AG 17.1 -61.8; AI 18.2 -63.1; AL 41.3 19.8; AM 40.2 44.5; AO -8.8 13.2
AS -14.3 -170.7; AT 48.2 16.3; AW 12.5 -70; AX 60.1 19.9; AZ 40.4 49.9; BA 43.9 18.4; BB 13.1 -59.6
BD 23.7 90.4; BE 50.8 4.3; BF 12.4 -1.5; BG 42.7 23.3; BH 26.4 50.6; BI -3.4 29.4; BJ 6.5 2.6; BL 17.9 -62.9
BM 32.3 -64.8; BN 4.9 114.9; BO -16.5 -68.2; BQ 12.2 -68.3; BS 25.1 -77.3; BT 27.5 89.7; BV -54.4 3.4
BW -24.6 25.9; BY 53.9 27.6; BZ 17.5 -88.2; CC -12.2 96.9; CF 4.4 18.6; CG -4.3 15.3; CH 47.4 8.5; CI 5.3 -4
CK -21.2 -159.8; CM 4 9.7; CR 9.9 -84.1; CU 23.1 -82.4; CV 14.9 -23.5; CW 12.2 -69; CX -10.4 105.7
CZ 50.1 14.4; DJ 11.6 43.1; DK 55.7 12.6; DM 15.3 -61.4; DO 18.5 -69.9; EE 59.4 24.8; EG 30.1 31.2
EH 27.1 -13.2; ER 15.3 38.9; ET 9 38.7; FJ -18.1 178.4; FK -51.7 -57.9; FO 62 -6.8; GA 0.4 9.4; GD 12.1 -61.8
GE 41.7 44.8; GF 4.9 -52.3; GG 49.5 -2.5; GH 5.5 -0.2; GI 36.1 -5.3; GM 13.5 -16.6; GN 9.5 -13.7; GP 16.2 -61.5
GQ 3.8 8.8; GR 38 23.7; GS -54.3 -36.5; GT 14.6 -90.5; GU 13.5 144.8; GW 11.8 -15.6; GY 6.8 -58.2
HK 22.3 114.2; HM -53.1 73.5; HN 14.1 -87.2; HR 45.8 16; HT 18.5 -72.3; HU 47.5 19.1; IE 53.3 -6.2
IL 31.8 35.2; IM 54.1 -4.5; IO -7.3 72.4; IQ 33.4 44.4; IS 64.2 -21.9; JE 49.2 -2.1; JM 18 -76.8; JO 31.9 35.9
KE -1.3 36.8; KG 42.9 74.6; KH 11.6 104.9; KM -11.7 43.3; KN 17.3 -62.7; KP 39 125.8; KR 37.5 127; KW 29.3 48
KY 19.3 -81.4; LA 18 102.6; LB 33.9 35.5; LC 14 -61; LI 47.1 9.5; LK 6.9 79.8; LR 6.3 -10.8; LS -29.5 27.5
LT 54.7 25.3; LU 49.6 6.2; LV 57 24.1; LY 32.9 13.2; MC 43.7 7.4; MD 47 28.8; ME 42.4 19.3; MF 18.1 -63.1
MG -18.9 47.5; MK 42 21.4; ML 12.7 -8; MM 16.8 96.2; MO 22.2 113.5; MP 15.2 145.8; MQ 14.6 -61.1; MR 18.1 -15.9
MS 16.7 -62.2; MT 35.9 14.5; MU -20.2 57.5; MV 4.2 73.5; MW -15.8 35; MZ -26 32.6; NA -22.6 17.1
NC -22.3 166.4; NE 13.5 2.1; NF -29.1 168; NI 12.2 -86.3; NL 52.4 4.9; NP 27.7 85.3; NR -0.5 166.9
NU -19 -169.9; OM 23.6 58.6; PA 9 -79.5; PM 47 -56.3; PN -25.1 -130.1; PR 18.5 -66.1; PW 7.3 134.5
PY -25.3 -57.7; QA 25.3 51.5; RE -20.9 55.5; RO 44.4 26.1; RS 44.8 20.5; RW -1.9 30.1; SB -9.5 160.2
SC -4.7 55.5; SD 15.6 32.5; SG 1.3 103.8; SH -15.9 -5.7; SI 46 14.5; SJ 78 16; SK 48.1 17.1; SL 8.5 -13.2
SM 43.9 12.5; SN 14.7 -17.4; SO 2.1 45.4; SR 5.8 -55.2; SS 4.8 31.6; ST 0.3 6.7; SV 13.7 -89.2; SX 18.1 -63
SY 33.5 36.3; SZ -26.3 31.1; TC 21.5 -71.1; TD 12.1 15.1; TF -49.4 70.2; TG 6.1 1.2; TJ 38.6 68.8
TK -9.4 -171.2; TL -8.6 125.6; TM 38 58.4; TN 36.8 10.2; TO -21.1 -175.2; TT 10.7 -61.5; TV -8.5 179.2
TW 25.1 121.5; TZ -6.8 39.3; UG 0.3 32.4; UY -34.9 -56.2; VA 41.9 12.5; VC 13.2 -61.2; VG 18.4 -64.6
VI 18.4 -64.9; VU -17.7 168.4; WF -13.3 -176.2; WS -13.8 -171.7; XK 42.7 21.2; YE 12.8 45.2; YT -12.8 45.2
ZM -15.4 28.3; ZW -17.8 31.1
`

/**
 * The largest cities of the others, with millions of people in and around them, rounded: where the middle of such a
 * country is forest or desert, its visitors are not there. Our own list; it claims no more than it is used for.
 */
const LARGE_CITIES = `
US: New York 40.7 -74 20; Los Angeles 34.1 -118.2 13; Chicago 41.9 -87.6 9.5; Dallas 32.8 -96.8 7.8; Houston 29.8
  -95.4 7.2; Washington 38.9 -77 6.3; Philadelphia 40 -75.2 6.2; Atlanta 33.7 -84.4 6.2; Miami 25.8 -80.2 6.1;
  Phoenix 33.4 -112.1 5; Boston 42.4 -71.1 4.9; San Francisco 37.8 -122.4 6.5; Detroit 42.3 -83 4.3; Seattle 47.6
  -122.3 4; Minneapolis 45 -93.3 3.7; Denver 39.7 -105 3; Tampa 28 -82.5 3.2; St. Louis 38.6 -90.2 2.8; Charlotte
  35.2 -80.8 2.7
CA: Toronto 43.7 -79.4 8; Montreal 45.5 -73.6 4.6; Vancouver 49.3 -123.1 2.9; Calgary 51 -114.1 1.6; Edmonton 53.5
  -113.5 1.5; Ottawa 45.4 -75.7 1.5; Winnipeg 49.9 -97.1 0.8; Quebec 46.8 -71.2 0.8; Halifax 44.6 -63.6 0.5
MX: Mexico City 19.4 -99.1 22; Guadalajara 20.7 -103.3 5.3; Monterrey 25.7 -100.3 5.3; Puebla 19 -98.2 3.2; Tijuana
  32.5 -117 2.2; Merida 21 -89.6 1.3; Leon 21.1 -101.7 1.9; Juarez 31.7 -106.5 1.5
BR: Sao Paulo -23.6 -46.6 22; Rio de Janeiro -22.9 -43.2 13; Belo Horizonte -19.9 -43.9 6; Brasilia -15.8 -47.9 4.7;
  Porto Alegre -30 -51.2 4.2; Recife -8.1 -34.9 4.1; Fortaleza -3.7 -38.5 4.1; Salvador -13 -38.5 3.9; Curitiba
  -25.4 -49.3 3.7; Manaus -3.1 -60 2.2; Belem -1.5 -48.5 2.4; Goiania -16.7 -49.3 2.7
AR: Buenos Aires -34.6 -58.4 15; Cordoba -31.4 -64.2 1.6; Rosario -32.9 -60.7 1.5; Mendoza -32.9 -68.8 1.2; Tucuman
  -26.8 -65.2 1; Salta -24.8 -65.4 0.7
CL: Santiago -33.4 -70.7 7; Valparaiso -33 -71.6 1; Concepcion -36.8 -73 1; Antofagasta -23.7 -70.4 0.4; Puerto
  Montt -41.5 -72.9 0.3
CO: Bogota 4.7 -74.1 11; Medellin 6.2 -75.6 4; Cali 3.4 -76.5 2.8; Barranquilla 11 -74.8 2.2
PE: Lima -12 -77 11; Arequipa -16.4 -71.5 1.1; Trujillo -8.1 -79 1; Cusco -13.5 -72 0.5
VE: Caracas 10.5 -66.9 3; Maracaibo 10.6 -71.6 2.3; Valencia 10.2 -68 1.9
EC: Guayaquil -2.2 -79.9 3; Quito -0.2 -78.5 2.8
RU: Moscow 55.8 37.6 21; Saint Petersburg 59.9 30.3 6; Novosibirsk 55 82.9 1.6; Yekaterinburg 56.8 60.6 1.5; Kazan
  55.8 49.1 1.3; Nizhny Novgorod 56.3 44 1.3; Chelyabinsk 55.2 61.4 1.2; Samara 53.2 50.1 1.2; Rostov 47.2 39.7 1.1;
  Krasnodar 45 39 1.1; Ufa 54.7 56 1.1; Krasnoyarsk 56 92.9 1.2; Omsk 55 73.4 1.1; Irkutsk 52.3 104.3 0.6;
  Vladivostok 43.1 131.9 0.6; Khabarovsk 48.5 135.1 0.6
UA: Kyiv 50.5 30.5 3; Kharkiv 50 36.2 1.4; Odesa 46.5 30.7 1; Dnipro 48.5 35 1; Lviv 49.8 24 0.7
KZ: Almaty 43.2 76.9 2.2; Astana 51.2 71.4 1.4; Shymkent 42.3 69.6 1.2; Aktobe 50.3 57.2 0.5
UZ: Tashkent 41.3 69.2 3; Samarkand 39.7 67 0.6; Namangan 41 71.7 0.7
CN: Shanghai 31.2 121.5 28; Beijing 39.9 116.4 21; Guangzhou 23.1 113.3 19; Shenzhen 22.5 114.1 17; Chengdu 30.7
  104.1 16; Chongqing 29.6 106.6 16; Tianjin 39.1 117.2 14; Wuhan 30.6 114.3 12; Xi'an 34.3 108.9 12; Hangzhou 30.3
  120.2 11; Nanjing 32.1 118.8 9; Zhengzhou 34.8 113.7 10; Shenyang 41.8 123.4 8; Harbin 45.8 126.5 6; Jinan 36.7
  117 8; Changsha 28.2 112.9 8; Kunming 25 102.7 6; Urumqi 43.8 87.6 4; Fuzhou 26.1 119.3 6
MN: Ulaanbaatar 47.9 106.9 1.6
IN: Delhi 28.6 77.2 32; Mumbai 19.1 72.9 21; Kolkata 22.6 88.4 15; Bengaluru 13 77.6 13; Chennai 13.1 80.3 11;
  Hyderabad 17.4 78.5 10; Ahmedabad 23 72.6 8; Pune 18.5 73.9 7; Lucknow 26.8 80.9 4; Jaipur 26.9 75.8 4; Patna 25.6
  85.1 2.5; Kochi 10 76.3 3
PK: Karachi 24.9 67 17; Lahore 31.5 74.3 13; Faisalabad 31.4 73.1 3.5; Islamabad 33.7 73.1 3.5; Peshawar 34 71.5 2.3
IR: Tehran 35.7 51.4 9.5; Mashhad 36.3 59.6 3.3; Isfahan 32.7 51.7 2.2; Shiraz 29.6 52.5 1.7; Tabriz 38.1 46.3 1.6
SA: Riyadh 24.7 46.7 7.5; Jeddah 21.5 39.2 4.8; Mecca 21.4 39.8 2.1; Dammam 26.4 50.1 1.3
TR: Istanbul 41 29 15.5; Ankara 39.9 32.9 5.3; Izmir 38.4 27.1 3; Bursa 40.2 29.1 2; Adana 37 35.3 1.8; Gaziantep
  37.1 37.4 1.8
PS: Gaza 31.5 34.5 2; Hebron 31.5 35.1 0.8
CY: Nicosia 35.2 33.4 0.3; Limassol 34.7 33 0.2
ID: Jakarta -6.2 106.8 33; Surabaya -7.3 112.7 9; Bandung -6.9 107.6 8; Medan 3.6 98.7 4.6; Semarang -7 110.4 4;
  Makassar -5.1 119.4 2.7; Palembang -3 104.8 1.8; Denpasar -8.7 115.2 2
MY: Kuala Lumpur 3.1 101.7 8.4; Johor Bahru 1.5 103.8 1.9; George Town 5.4 100.3 1.8; Kota Kinabalu 6 116.1 0.6;
  Kuching 1.6 110.3 0.6
PH: Manila 14.6 121 24; Cebu 10.3 123.9 3; Davao 7.1 125.6 1.9
TH: Bangkok 13.8 100.5 15; Chiang Mai 18.8 99 1.2; Nakhon Ratchasima 15 102.1 0.5; Hat Yai 7 100.5 0.4
VN: Ho Chi Minh City 10.8 106.7 14; Hanoi 21 105.8 9; Da Nang 16.1 108.2 1.3
JP: Tokyo 35.7 139.7 37; Osaka 34.7 135.5 19; Nagoya 35.2 136.9 9; Fukuoka 33.6 130.4 5.5; Sapporo 43.1 141.3 2.6;
  Sendai 38.3 140.9 2.3; Hiroshima 34.4 132.5 2
AU: Sydney -33.9 151.2 5.4; Melbourne -37.8 145 5.2; Brisbane -27.5 153 2.7; Perth -32 115.9 2.2; Adelaide -34.9
  138.6 1.4; Canberra -35.3 149.1 0.5; Darwin -12.5 130.8 0.15; Hobart -42.9 147.3 0.25
NZ: Auckland -36.8 174.8 1.7; Wellington -41.3 174.8 0.5; Christchurch -43.5 172.6 0.5
PG: Port Moresby -9.5 147.2 0.4; Lae -6.7 147 0.2
FM: Weno 7.4 151.8 0.05; Palikir 6.9 158.2 0.035
KI: Tarawa 1.4 173 0.1
MH: Majuro 7.1 171.4 0.03; Ebeye 8.8 167.7 0.01
PF: Papeete -17.5 -149.6 0.2
UM: Wake Island 19.3 166.6 1
GL: Nuuk 64.2 -51.7 0.02; Sisimiut 66.9 -53.7 0.006; Ilulissat 69.2 -51.1 0.005
ZA: Johannesburg -26.2 28 10; Cape Town -33.9 18.4 4.8; Durban -29.9 31 3.2; Pretoria -25.7 28.2 2.8; Gqeberha -34
  25.6 1.3
NG: Lagos 6.5 3.4 15; Kano 12 8.5 4.3; Ibadan 7.4 3.9 3.8; Abuja 9.1 7.5 3.8; Port Harcourt 4.8 7 3.5
DZ: Algiers 36.8 3.1 4; Oran 35.7 -0.6 1.5; Constantine 36.4 6.6 1; Annaba 36.9 7.8 0.6
MA: Casablanca 33.6 -7.6 4; Rabat 34 -6.8 2; Fes 34 -5 1.2; Marrakesh 31.6 -8 1; Tangier 35.8 -5.8 1.2; Agadir 30.4
  -9.6 0.9
CD: Kinshasa -4.3 15.3 16; Mbuji-Mayi -6.1 23.6 2.8; Lubumbashi -11.7 27.5 2.7; Kisangani 0.5 25.2 1.4; Goma -1.7
  29.2 1
GB: London 51.5 -0.1 14; Manchester 53.5 -2.2 3; Birmingham 52.5 -1.9 3; Leeds 53.8 -1.5 2; Glasgow 55.9 -4.3 1.8;
  Bristol 51.5 -2.6 1; Newcastle 55 -1.6 1; Belfast 54.6 -5.9 0.6
FR: Paris 48.9 2.3 11; Lyon 45.8 4.8 2; Marseille 43.3 5.4 1.8; Toulouse 43.6 1.4 1.3; Lille 50.6 3.1 1.2; Bordeaux
  44.8 -0.6 1.2; Nantes 47.2 -1.6 1; Strasbourg 48.6 7.8 0.8; Nice 43.7 7.3 1
DE: Ruhr 51.5 7.2 5; Berlin 52.5 13.4 4.5; Munich 48.1 11.6 2.9; Hamburg 53.6 10 2.8; Frankfurt 50.1 8.7 2.7;
  Stuttgart 48.8 9.2 2.7; Cologne 50.9 7 2.5; Nuremberg 49.5 11.1 1.3; Leipzig 51.3 12.4 1; Dresden 51.1 13.7 0.9;
  Hanover 52.4 9.7 1.1
ES: Madrid 40.4 -3.7 6.7; Barcelona 41.4 2.2 5.5; Valencia 39.5 -0.4 1.7; Seville 37.4 -6 1.5; Bilbao 43.3 -2.9 1;
  Malaga 36.7 -4.4 1; Las Palmas 28.1 -15.4 0.8; Zaragoza 41.6 -0.9 0.8
PT: Lisbon 38.7 -9.1 2.9; Porto 41.2 -8.6 1.8; Ponta Delgada 37.7 -25.7 0.14; Funchal 32.7 -16.9 0.2
IT: Milan 45.5 9.2 5; Rome 41.9 12.5 4.3; Naples 40.9 14.3 3.3; Turin 45.1 7.7 1.7; Palermo 38.1 13.4 1.2; Bologna
  44.5 11.3 1; Florence 43.8 11.3 1; Bari 41.1 16.9 1
PL: Warsaw 52.2 21 3; Katowice 50.3 19 2.5; Krakow 50.1 20 1.4; Gdansk 54.4 18.6 1.1; Poznan 52.4 16.9 1; Wroclaw
  51.1 17 1; Lodz 51.8 19.5 1
SE: Stockholm 59.3 18.1 2.4; Gothenburg 57.7 12 1; Malmo 55.6 13 0.8; Uppsala 59.9 17.6 0.25; Umea 63.8 20.3 0.13
NO: Oslo 59.9 10.8 1.5; Bergen 60.4 5.3 0.4; Stavanger 59 5.7 0.35; Trondheim 63.4 10.4 0.3; Tromso 69.6 19 0.08
FI: Helsinki 60.2 24.9 1.5; Tampere 61.5 23.8 0.4; Turku 60.5 22.3 0.35; Oulu 65 25.5 0.25
AQ: McMurdo -77.8 166.7 1
`

/** Where the people of a country are, more or less: half of a large one's visitors are far from any one point. Codes in upper case. */
export const countryCenters: ReadonlyMap<string, Place> = new Map([...readPrincipalPlaces(), ...readLargeCountries()])

function* readPrincipalPlaces(): Generator<readonly [string, Place]> {
  for (const [, country = '', latitude, longitude] of PRINCIPAL_PLACES.matchAll(/([A-Z]{2}) (\S+) ([^\s;]+)/g))
    yield [country, { latitude: Number(latitude), longitude: Number(longitude) }]
}

/** The mean of the cities by their people, as the point of the sphere nearest to the mean of the vectors. */
function* readLargeCountries(): Generator<readonly [string, Place]> {
  for (const [, country = '', cities = ''] of LARGE_CITIES.matchAll(/([A-Z]{2}):([^:]+)(?=\n[A-Z]{2}:|\n$)/g)) {
    const sum = { x: 0, y: 0, z: 0 }
    for (const city of cities.split(';')) {
      const [latitude = 0, longitude = 0, people = 0] = city.trim().split(/\s+/).slice(-3).map(Number)
      const { x, y, z } = unitVector({ latitude, longitude })
      sum.x += x * people
      sum.y += y * people
      sum.z += z * people
    }
    const center = {
      latitude: (Math.atan2(sum.z, Math.hypot(sum.x, sum.y)) * 180) / Math.PI,
      longitude: (Math.atan2(sum.y, sum.x) * 180) / Math.PI,
    }
    if (isPlace(center)) yield [country, center]
  }
}
