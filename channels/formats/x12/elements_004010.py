"""X12 004010: the data elements and composites of the segments we speak, one a line. Data only.

Element: number, type, least/most length, our name for it. Types: AN text, ID code, Nn integer with n implied decimals,
R decimal, DT date CCYYMMDD, TM time HHMM[SS[D[D]]]. Length of N and R leaves out sign and point.
Composite: number, then its components as elements; `!` mandatory.
"""

from typing import Final

ELEMENTS: Final = """
2 N0 1/6 sets accepted
19 AN 2/30 city
22 AN 1/30 commodity code
23 ID 1/1 commodity code kind
24 AN 4/4 equipment type
26 AN 2/3 country
28 N0 1/9 group control number
40 ID 2/2 equipment
54 ID 2/2 risk of loss
61 AN 1/30 message text
65 R 1/8 height
66 ID 1/2 id kind
67 AN 2/80 id
79 AN 1/50 lading description
80 N0 1/7 lading quantity
81 R 1/10 weight
82 R 1/8 length
87 AN 1/48 marks
88 ID 1/2 marks kind
91 ID 1/2 transport method
92 ID 2/2 order type
93 AN 1/60 name
96 N0 1/10 segment count
97 N0 1/6 sets included
98 AN 2/3 party role
100 AN 3/3 currency
102 ID 1/1 ownership
103 AN 3/5 packaging
107 ID 1/2 payment method
116 AN 3/15 postal code
118 R 1/9 rate
123 N0 1/6 sets received
127 AN 1/30 reference
128 AN 2/3 reference kind
133 ID 1/2 routing sequence
143 ID 3/3 set id
146 ID 2/2 freight payer
152 ID 2/3 special handling
156 AN 2/2 state
166 AN 1/55 address
183 R 1/8 volume
187 ID 1/2 weight kind
189 R 1/8 width
206 AN 1/4 equipment initial
207 AN 1/10 equipment number
208 ID 1/1 hazard class kind
209 AN 1/4 hazard class
212 R 1/17 unit price
225 AN 2/15 seal number
234 AN 1/48 product id
235 ID 2/2 product id kind
236 ID 3/3 price kind
248 ID 1/1 allowance or charge
280 R 4/10 exchange rate
284 ID 2/2 service level
289 N0 1/2 price quantity
306 ID 1/2 action
309 ID 1/2 location kind
310 AN 1/30 location
324 AN 1/22 order number
325 AN 1/20 tax id
326 AN 1/45 request reference
328 AN 1/30 release number
329 AN 4/9 set control number
330 R 1/15 quantity ordered
331 ID 2/2 charge handling
332 R 1/6 percent
333 ID 1/2 terms basis date
334 ID 2/2 transport terms kind
335 ID 3/3 transport terms
336 ID 2/2 terms type
337 TM 4/8 time
338 R 1/6 discount percent
342 R 1/5 payable percent
344 ID 2/2 time unit
345 ID 2/2 lead time kind
347 R 1/10 hash total
349 ID 1/1 description type
350 AN 1/20 line number
351 N0 1/3 discount days
352 AN 1/80 description
353 ID 2/2 purpose
354 N0 1/6 line count
355 ID 2/2 unit
356 N0 1/6 pack
357 R 1/8 size
362 N2 1/10 discount amount
363 ID 3/3 note reference
364 AN 1/80 contact number
365 ID 2/2 contact number kind
366 ID 2/2 contact function
367 AN 1/30 contract
368 ID 2/2 shipment status
369 AN 1/45 free text
370 DT 8/8 discount due date
371 ID 2/2 change reason
373 DT 8/8 date
374 ID 3/3 date kind
378 ID 1/1 percent kind
380 R 1/15 quantity
382 R 1/10 units shipped
383 R 1/9 quantity difference
384 R 1/9 gross weight per pack
385 R 1/9 gross volume per pack
386 N0 1/3 net days
387 AN 1/35 routing
388 DT 8/8 deferred due date
389 N2 1/10 deferred amount
400 ID 2/2 unit load option
407 ID 2/2 seal status
441 ID 1/1 tax exemption
443 AN 1/20 inquiry reference
446 DT 8/8 net due date
447 AN 1/6 loop id
478 ID 1/1 credit or debit
479 ID 2/2 functional group
499 AN 1/10 condition value
508 AN 1/35 account
522 ID 1/3 amount kind
554 N0 1/6 assigned number
559 ID 2/2 agency
560 ID 2/10 special service
563 ID 1/2 sales requirement
566 ID 1/2 substitution
587 ID 2/2 acknowledgement type
610 N2 1/15 amount, two implied decimals
623 ID 2/2 time zone
639 ID 2/2 price basis
640 ID 2/2 transaction type
648 ID 3/3 multiplier kind
649 R 1/10 multiplier
653 ID 3/3 discount type
654 ID 2/2 discount base kind
655 R 1/10 discount base
656 ID 2/3 discount limit kind
657 N0 1/10 discount limit
662 ID 1/1 relationship
668 ID 2/2 line status
669 ID 3/3 exchange market
673 ID 2/2 quantity kind
687 ID 2/2 class of trade
688 ID 2/2 restriction kind
704 ID 1/2 paperwork action
706 ID 2/2 party relationship
715 ID 1/1 group verdict
716 ID 1/3 group fault
717 ID 1/1 set verdict
718 ID 1/3 set fault
719 N0 1/6 segment position
720 ID 1/3 segment fault
721 AN 2/3 segment id
722 N0 1/2 element position
723 ID 1/3 element fault
724 AN 1/99 copy of the bad value
725 N0 1/4 element number
729 AN 1/6 category
731 ID 2/2 transit direction
732 ID 2/2 transit time kind
733 R 1/4 transit time
737 ID 2/2 measurement reference
738 ID 1/3 measurement
739 R 1/18 measured value
740 R 1/18 lowest value
741 R 1/18 highest value
750 ID 2/3 characteristic
751 AN 1/12 coded description
752 ID 2/2 surface or layer
753 ID 1/5 packaging characteristic
754 AN 1/7 packaging description
755 ID 2/2 report type
756 ID 1/2 report transmission
757 N0 1/2 copies
765 N0 1/2 day of month
770 AN 1/20 option
782 R 1/18 amount
786 ID 2/2 security level
790 AN 1/132 title
791 AN 1/80 purpose text
792 ID 1/1 status
799 AN 1/30 version
810 N0 1/6 inner pack
819 AN 2/3 language
822 AN 1/15 agency subset
828 R 1/9 taxed amount
933 AN 1/264 message text
934 ID 2/2 printer control
935 ID 2/2 significance
936 ID 2/2 attribute
954 R 1/10 percent
955 ID 2/2 jurisdiction kind
956 AN 1/10 jurisdiction
963 ID 2/2 tax type
1000 AN 2/2 service characteristic
1004 ID 1/2 percent kind
1005 ID 4/4 hierarchy
1018 R 1/15 exponent
1019 ID 3/3 invoice type
1073 ID 1/1 yes or no
1096 AN 5/5 county
1106 ID 2/2 address component
1166 ID 2/2 contract type
1179 ID 1/1 customs entry
1195 AN 1/80 accounting data
1196 ID 2/2 account breakdown
1232 ID 2/2 purchase category
1250 ID 2/3 period format
1251 AN 1/35 period
1270 ID 1/3 code list
1271 AN 1/30 industry code
1300 AN 4/4 charge code
1301 AN 1/10 agency's charge code
1309 ID 2/2 acquisition data
1310 ID 1/1 financing
1322 ID 1/1 certification
1373 ID 2/4 measurement method
1401 ID 1/3 proposal detail
1470 N0 1/9 number
1525 ID 1/2 request category
1528 N0 1/2 component position
1551 AN 1/760 message text
1705 AN 1/9 implementation reference
"""

COMPOSITES: Final = """
C001 355! 1018 649 355 1018 649 355 1018 649 355 1018 649 355 1018 649
C002 704! 704 704 704 704
C030 722! 1528
C040 128! 127! 128 127 128 127 | P0304 P0506
"""
